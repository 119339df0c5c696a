"""Whole messages that alterations start from: the hand-written tables of the unit tests."""

from __future__ import annotations

from tests.unit.protocol.test_association_messages import EXAMPLES as ASSOCIATIONS
from tests.unit.protocol.test_association_messages import VARIANTS
from tests.unit.protocol.test_ciphered_messages import CASES as CIPHERED
from tests.unit.protocol.test_service_messages import EXAMPLES as SERVICES

# A push of one value, a profile with left-out values, and a compact array.
OTHERS = (
    "0f00000001 0c07ea03010706000000016800 0202 090600010801ff 06000003e8",
    "0102 0203 090c07ea0301070c0000ff8000ff 1101 0600000064 0203 00 00 1f05",
    "13 02 02 06 11 0a 00000001 05 00000002 06",
    "7ea00f cf0313 e6e700 c401c100 1101",
    "0001 0001 0067 0005 c401c10000",
)
MESSAGES = tuple(
    bytes.fromhex(text)
    for text in (
        *(octets for _, octets, _ in ASSOCIATIONS),
        *(octets for _, octets in VARIANTS),
        *(octets for _, octets, _ in CIPHERED),
        *(octets for octets, _ in SERVICES),
        *OTHERS,
    )
)
