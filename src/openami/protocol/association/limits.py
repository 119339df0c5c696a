"""Named limits of associations, each with its reason."""

MIN_CHALLENGE_OCTETS = 8
MAX_CHALLENGE_OCTETS = 64
"""Challenges that the standard allows: 8 to 64 octets."""
OWN_CHALLENGE_OCTETS = 16
"""Shortest challenge that we send: a shorter one could be seen twice in the life of a fleet."""
MIN_PDU_OCTETS = 64
"""Smallest largest-APDU that we accept of a peer: below it a block would carry less than it costs."""
CIPHERING_OCTETS = 40
"""Most octets that service-specific and general ciphering add: tag, title, length, control, counter, tag."""
GENERAL_OCTETS = 360
"""Most octets that general-ciphering and general-signing add: header, agreed key or signature of suite 2, ciphering."""
MAX_VALUE_OCTETS = 4 << 20
"""Largest value taken in blocks: a year of quarter-hours of eight columns is half of it."""
MAX_BLOCKS = 32_768
"""Most blocks of one value: the largest value in pieces of 128 octets."""
MAX_LIST = 64
"""Most references in one request of ours: a longer list is asked for in parts, so that an answer stays small."""
MAX_SERVED_LIST = 256
"""Most references in one request that a server answers: each costs a reading, and somebody else may be waiting."""
MAX_SERVED_VALUE_OCTETS = 1 << 16
"""Largest value that a server takes in blocks: a device has little memory, and the largest is a list of settings."""
