"""Cipher suites of DLMS: pure functions over keys given as arguments. Knows no store, no clock and no dice.

Together with :mod:`openami.security.keys` this is the only place that imports ``cryptography``.
Source: IEC 62056-5-3, security suites 0 to 2.
"""
