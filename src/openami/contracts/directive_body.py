"""Bodies of directives, except the thresholds', which stand beside their rules. Every octet is looked at.

=============== ==================================================================================================
kind            body, big-endian
=============== ==================================================================================================
KNOWN_TITLES    per device ``least suite u8 | system title 8``, in rising order of titles, all of one partition
REVOKED         ``serials u32 | serial 20 ... | collectors u32`` and per stolen collector ``number u32 | from_ms u64``,
                then ``collectors u32`` and per doubted one ``number u32 | from_ms u64 | until_ms u64``
RELEASE         ``frames u32 | id 16 ... | commands u32 | request id 16 ...``, both in rising order
=============== ==================================================================================================

Everything stands in rising order, each once: the same fact has the same octets, so whoever signs can tell whether
anything is new.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from openami.contracts.command import LAST_MS
from openami.contracts.directive import MAX_BODY_OCTETS
from openami.contracts.errors import ContractError
from openami.contracts.stream import partition_of_octets
from openami.kernel.errors import MisuseError

SERIAL_OCTETS = 20
"""Certificate serials have at most 20 octets (RFC 5280, 4.1.2.2)."""
TITLE_OCTETS = 8
MAX_SUITE = 2
MAX_REVOKED = 100_000
MAX_STOLEN = 20_000
MAX_RELEASED = 50_000
ID_OCTETS = 16
_COUNT = struct.Struct(">I")
_TITLE = struct.Struct(">B8s")
_STOLEN = struct.Struct(">IQ")
_DOUBTED = struct.Struct(">IQQ")
MAX_TITLES_A_PART = MAX_BODY_OCTETS // _TITLE.size


def encode_known_titles(suites: Mapping[bytes, int]) -> bytes:
    """Return the body for the devices of one partition.

    Args:
        suites: by system title, 8 octets, the least security suite that is taken from it, 0 to 2.

    Raises:
        MisuseError: more than ``MAX_TITLES_A_PART``.
    """
    if len(suites) > MAX_TITLES_A_PART:
        raise MisuseError(f"{len(suites)} titles in one partition, the limit is {MAX_TITLES_A_PART}")
    return b"".join(_TITLE.pack(suites[title], title) for title in sorted(suites))


def decode_known_titles(body: bytes, *, part: int) -> dict[bytes, int]:
    """Read which devices may send, with the least suite of each.

    Raises:
        ContractError: not such a body, or a title of another partition.
    """
    if len(body) % _TITLE.size:
        raise ContractError(f"known titles: {len(body)} octets are no whole rows of {_TITLE.size}")
    rows = list(_TITLE.iter_unpack(body))
    if any(suite > MAX_SUITE or partition_of_octets(title) != part for suite, title in rows):
        raise ContractError(f"known titles: a suite there is not, or a title that is not of partition {part}")
    _require_rising([title for _, title in rows], "known titles")
    return {title: suite for suite, title in rows}


@dataclass(frozen=True, slots=True)
class Revoked:
    """Whom the gateway lets in no more.

    Args:
        serials: certificates that are refused.
        stolen: by number of a stolen collector, since when it was away, by the clock that collectors stamp with, in
            milliseconds since the epoch. Whatever certificate it shows, it does not get in.
        doubted: by number of a collector that is back, from when until when it was away, by the same clock. It gets
            in; what it says that it collected in that time is not believed.
    """

    serials: frozenset[int] = frozenset()
    stolen: Mapping[int, int] = field(default_factory=dict)
    doubted: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the body.

        Raises:
            MisuseError: more than a body takes.
        """
        stolen, doubted = sorted(self.stolen.items()), sorted(self.doubted.items())
        if len(self.serials) > MAX_REVOKED or max(len(stolen), len(doubted)) > MAX_STOLEN:
            said = f"{len(self.serials)} serials, {len(stolen)} stolen and {len(doubted)} doubted collectors"
            raise MisuseError(f"{said} are more than a body takes")
        return b"".join(
            (
                _COUNT.pack(len(self.serials)),
                *(serial.to_bytes(SERIAL_OCTETS) for serial in sorted(self.serials)),
                _COUNT.pack(len(stolen)),
                *(_STOLEN.pack(number, from_ms) for number, from_ms in stolen),
                _COUNT.pack(len(doubted)),
                *(_DOUBTED.pack(number, from_ms, until_ms) for number, (from_ms, until_ms) in doubted),
            )
        )


def decode_revoked(body: bytes) -> Revoked:
    """Read whom the gateway lets in no more.

    Raises:
        ContractError: not such a body.
    """
    serials, at = _rows(body, 0, SERIAL_OCTETS, MAX_REVOKED, "revoked")
    stolen, at = _rows(body, at, _STOLEN.size, MAX_STOLEN, "revoked")
    doubted, at = _rows(body, at, _DOUBTED.size, MAX_STOLEN, "revoked")
    _require_end(body, at, "revoked")
    _require_rising(serials, "revoked")
    away = [_STOLEN.unpack(row) for row in stolen]
    back = [_DOUBTED.unpack(row) for row in doubted]
    for numbers in ([row[0] for row in away], [row[0] for row in back]):
        _require_rising(numbers, "revoked")
        if 0 in numbers:
            raise ContractError("revoked: there is no collector 0")
    if any(at_ms > LAST_MS for row in (*away, *back) for at_ms in row[1:]):
        raise ContractError("revoked: an instant that is none")
    return Revoked(
        frozenset(int.from_bytes(serial) for serial in serials),
        dict(away),
        {number: (from_ms, until_ms) for number, from_ms, until_ms in back},
    )


@dataclass(frozen=True, slots=True)
class Released:
    """What people have let out of the gateway's quarantine.

    Args:
        frames: ids of quarantined frames, 16 octets each; an id is made of all that the frame is.
        commands: request ids of quarantined commands.
    """

    frames: frozenset[bytes] = frozenset()
    commands: frozenset[UUID] = frozenset()

    def encode(self) -> bytes:
        """Return the body.

        Raises:
            MisuseError: more than a body takes.
        """
        if max(len(self.frames), len(self.commands)) > MAX_RELEASED:
            raise MisuseError(f"{len(self.frames)} frames and {len(self.commands)} commands are more than a body takes")
        return _ids(self.frames) + _ids(c.bytes for c in self.commands)


def decode_released(body: bytes) -> Released:
    """Read what people have let out of the quarantine.

    Raises:
        ContractError: not such a body.
    """
    frames, at = _rows(body, 0, ID_OCTETS, MAX_RELEASED, "released")
    commands, at = _rows(body, at, ID_OCTETS, MAX_RELEASED, "released")
    _require_end(body, at, "released")
    _require_rising(frames, "released")
    _require_rising(commands, "released")
    return Released(frozenset(frames), frozenset(UUID(bytes=c) for c in commands))


def _ids(ids: Iterable[bytes]) -> bytes:
    rows = sorted(ids)
    return _COUNT.pack(len(rows)) + b"".join(rows)


def _rows(body: bytes, at: int, size: int, most: int, what: str) -> tuple[list[bytes], int]:
    """Return the rows of a counted list and the offset behind it."""
    start = at + _COUNT.size
    if len(body) < start:
        raise ContractError(f"{what}: cut at offset {at}")
    (count,) = _COUNT.unpack_from(body, at)
    end = start + count * size
    if count > most or end > len(body):
        raise ContractError(f"{what}: {count} rows at offset {at} do not fit")
    return [body[i : i + size] for i in range(start, end, size)], end


def _require_end(body: bytes, at: int, what: str) -> None:
    if at != len(body):
        raise ContractError(f"{what}: {len(body) - at} octets after the end at offset {at}")


def _require_rising(rows: list[bytes] | list[int], what: str) -> None:
    if any(a >= b for a, b in pairwise(rows)):  # type: ignore[operator]  # a list holds one kind
        raise ContractError(f"{what}: rows that are not in rising order, each once")
