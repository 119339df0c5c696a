"""The command process's room: what goes down to a meter is judged, sealed and signed here and nowhere else.

It takes plain APDUs, never a class from whoever asks, and lets no key out.
"""
