"""Keys of meters: envelope encryption, the vault port, shipment files and the packed table the head-end opens with.

Knows nothing of frames or readings. A key leaves this room only as octets handed to a cipher suite; every type here
that holds one prints a mask. Source: DESIGN section 5; NIST SP 800-38D; IEC 62056-5-3 security suites.
"""
