"""DLMS/COSEM, sans-IO, one core for both roles: octets in, values out, and back. Knows no socket, clock or store.

``envelope`` ends the link and reads the clear header of a sealed APDU with no key; ``axdr`` encodes values, ``cosem``
gives them meaning, ``apdu`` are the messages, ``push`` the bodies that our own meter sends.
"""
