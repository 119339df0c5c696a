"""Envelopes: link framing, block transfer and the clear header of a sealed APDU.

The network room may import this and nothing else of the protocol: no key and no A-XDR value is known here.
Source: IEC 62056-46 (HDLC), 62056-47 (wrapper), EN 13757-2 and -4 (M-Bus), IEC 62056-5-3 (block transfer, ciphering).
"""

from openami.protocol.envelope.sealed import SealedHeader, build_sealed, parse_sealed_header
from openami.protocol.envelope.wrapper import WrapperHeader, WrapperSplitter, parse_wrapper, wrap

__all__ = [
    "SealedHeader",
    "WrapperHeader",
    "WrapperSplitter",
    "build_sealed",
    "parse_sealed_header",
    "parse_wrapper",
    "wrap",
]
