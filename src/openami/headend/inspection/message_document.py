"""A message that carries no pushed figures, as a document to print.

Secrets are left out: what a class hides in its ``repr`` (keys, passwords, sealed bodies) is not in the document either.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from math import isfinite
from typing import Any

from openami.kernel.obis import Obis
from openami.protocol import apdu
from openami.protocol.axdr import BitString, CompactArray, Data, Tag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.errors import PeerError

_CARRIER = "user_information"


def message_document(message: apdu.Apdu, name: str) -> dict[str, Any]:
    """Return the document of a message.

    Args:
        message: any decoded APDU.
        name: what it is, for example ``get-response``.
    """
    return {"name": name, **_members(message)}


def _members(value: Any) -> dict[str, Any]:
    document = {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.repr}
    carried = getattr(value, _CARRIER, None)
    if isinstance(carried, bytes):
        document[_CARRIER] = _carried(carried)
    sealed = getattr(value, "sealed_body", None)
    if isinstance(sealed, bytes):
        document["security_control"] = sealed[0]
        document["invocation_counter"] = int.from_bytes(sealed[1:5])
    return document


def _carried(octets: bytes) -> Any:
    """Return the message inside an association message; what is none is told by its length alone."""
    try:
        message = apdu.decode(octets)
    except PeerError as error:
        return f"{len(octets)} octets: {error.message}"
    return message_document(message, apdu_name(octets))


def apdu_name(octets: bytes) -> str:
    """Return the name of the APDU that the octets begin with.

    >>> apdu_name(bytes.fromhex("c401"))
    'get-response'
    """
    return apdu.ApduTag(octets[0]).name.lower().replace("_", "-")


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one return for each kind of value
    if isinstance(value, Data):
        return _data(value)
    if isinstance(value, Obis):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, CosemDateTime):
        return _moment(value)
    if isinstance(value, Flag):
        return sorted((member.name or "").lower() for member in value)
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if is_dataclass(value):
        return {"kind": type(value).__name__, **_members(value)}
    return value


def _data(data: Data) -> Any:
    value = data.value
    if isinstance(value, tuple):
        return [_data(element) for element in value]
    if isinstance(value, CompactArray):
        return [_data(element) for element in value.elements]
    if isinstance(value, BitString):
        return f"{value.octets.hex()} ({value.count} bits)"
    if isinstance(value, bytes):
        return _octets(data.tag, value)
    # JSON has no word for infinity or not-a-number.
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _octets(tag: Tag, value: bytes) -> str:
    if tag is Tag.DATE_TIME and len(value) == DATE_TIME_OCTETS:
        return _moment(decode_date_time(value))
    if tag in (Tag.VISIBLE_STRING, Tag.UTF8_STRING):
        return value.decode("utf-8", "replace")
    return value.hex()


def _moment(clock: CosemDateTime) -> str:
    try:
        return (clock.to_utc() if clock.has_deviation else clock.local()).isoformat()
    except PeerError:
        return clock.encode().hex()
