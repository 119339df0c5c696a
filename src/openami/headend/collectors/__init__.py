"""What core makes of collectors' health: who is suspect, and why. Words in, findings out; no key, no reading, no name.

Everything here is in real time: heartbeats are.
"""
