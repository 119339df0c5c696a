"""Named limits of every envelope, each with its reason."""

MAX_APDU_OCTETS = 65_535
"""Largest APDU: the wrapper's length field has 16 bits, and no meter of the field sends more."""
MAX_HDLC_FRAME_OCTETS = 2_047
"""Largest HDLC frame: its length field has 11 bits."""
MAX_SEGMENTS = 1_024
"""Most segments or blocks of one message: 65,535 octets in the smallest useful pieces of 64 octets."""
MAX_LENGTH_OCTETS = 4
"""Longest length field after its first octet: 2**32 is far above any APDU."""
