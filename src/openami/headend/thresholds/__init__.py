"""What the gateway says about thresholds, kept for people: warnings, what is held, what was let go.

The counting is the gateway's; this room believes its words and shows them.
"""
