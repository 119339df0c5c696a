"""What blocks carry, put together: lists of values and of results as they stand inside the messages that fit."""

from __future__ import annotations

from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.services import GetResponseList, GetResult
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Data, Tag
from openami.protocol.errors import PeerError

_LIST_RESPONSE = 3
_ARRAY_HEAD = bytes((Tag.ARRAY,))


def encode_results(results: tuple[GetResult, ...]) -> bytes:
    """Return a sequence of get results as the blocks of a list carry it."""
    return messages.encode(GetResponseList(0, results))[3:]


def decode_results(octets: bytes) -> tuple[GetResult, ...]:
    """Read a sequence of get results.

    Raises:
        PeerError: it is none.
    """
    response = messages.decode(bytes((ApduTag.GET_RESPONSE, _LIST_RESPONSE, 0)) + octets)
    if not isinstance(response, GetResponseList):
        raise PeerError("unexpected_apdu", "the blocks of a list hold no list", 0)
    return response.results


def encode_values(values: tuple[Data, ...]) -> bytes:
    """Return a sequence of values: an array's octets without its tag."""
    return axdr.encode(axdr.array(*values))[1:]


def decode_values(octets: bytes) -> tuple[Data, ...]:
    """Read a sequence of values.

    Raises:
        PeerError: it is none.
    """
    return axdr.decode(_ARRAY_HEAD + octets).elements
