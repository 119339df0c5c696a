"""A-XDR: the encoding of every DLMS value, complete, both ways. Knows no meaning of a value.

>>> decode(bytes.fromhex("0202110106000003e8")).elements[1].integer
1000
>>> encode(structure(u8(1), u32(1000))).hex()
'0202110106000003e8'

Source: IEC 61334-6 (A-XDR); IEC 62056-5-3, data types; IEC 62056-6-2, 4.1.5.
"""

from openami.protocol.axdr.decoder import decode, decode_first, read
from openami.protocol.axdr.encoder import encode
from openami.protocol.axdr.reader import Reader
from openami.protocol.axdr.types import (
    MAX_ELEMENTS,
    MAX_NESTING,
    BitString,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    null,
    octet_string,
    structure,
    u8,
    u16,
    u32,
    visible_string,
)

__all__ = [
    "MAX_ELEMENTS",
    "MAX_NESTING",
    "BitString",
    "CompactArray",
    "Data",
    "Reader",
    "Tag",
    "TypeDescription",
    "array",
    "decode",
    "decode_first",
    "encode",
    "null",
    "octet_string",
    "read",
    "structure",
    "u8",
    "u16",
    "u32",
    "visible_string",
]
