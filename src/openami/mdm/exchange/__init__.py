"""Master data in, billing reads out, both reconciled: what a customer information system and we say to each other.

Knows ids that the other system chose and our own random ones; no name, no address, no account number that a person has.
"""
