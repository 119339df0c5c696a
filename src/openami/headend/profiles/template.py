"""The octets of one push layout, learned from one push: what must be equal, and where the values stand.

The generic path has named every value of that push. Here each stored value is found again in the octets; integers,
clocks and texts may then be anything, and every tag, count, length, name, scaler and unit must be as it was. A second
push that fits means the same by construction, whoever the maker is; a property test holds both paths equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.headend.profiles.interpret import OBIS_OCTETS, Push, PushObject, PushRow, holds_rows, interpret
from openami.headend.profiles.model import ClockRule, MeterProfile, PushKind
from openami.headend.profiles.registry import UnknownProfileError, profile_of
from openami.headend.profiles.rows import STATUS_OBIS, count_shift, interval_channel
from openami.kernel.obis import Obis
from openami.protocol import apdu, axdr
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime
from openami.protocol.errors import PeerError

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
MAX_LEAVES = 2_000
"""Values in a push that is worth a template: 127 rows of our own have 635. More would make the template, not the
pushes, the cost."""
STAMP_AT = 6
"""Where the date-time of a notification stands: after tag, invoke id and its own length."""
FORMATS = {
    Tag.DOUBLE_LONG: ">i4",
    Tag.DOUBLE_LONG_UNSIGNED: ">u4",
    Tag.INTEGER: "i1",
    Tag.LONG: ">i2",
    Tag.UNSIGNED: "u1",
    Tag.LONG_UNSIGNED: ">u2",
    Tag.LONG64: ">i8",
    Tag.LONG64_UNSIGNED: ">u8",
    Tag.ENUM: "u1",
}
_CLOCK_CD = b"\x01\x00"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an integer stands in the octets, and how."""

    offset: int
    form: str


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """One stored quantity.

    Args:
        channel: what it is.
        shift: power of ten from the raw number to the channel's counts.
        places: one in each row.
    """

    channel: Channel
    shift: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One layout of one length.

    Args:
        profile: name of the meter profile.
        kind: load profile, or registers.
        interval_s: length of the intervals; 0 for registers.
        fixed: (f,) places of the octets that every push of the layout has in common.
        expected: (f,) those octets.
        texts: places of texts of twelve octets without a clock's name: in another push they might look like a clock.
        clocks: place of the clock of each row.
        rule: how the clocks are to be understood.
        statuses: place of the status of each row; empty where rows have none.
        values: stored quantities.
    """

    profile: str
    kind: PushKind
    interval_s: int
    fixed: I64
    expected: U8
    texts: tuple[int, ...]
    clocks: tuple[int, ...]
    rule: ClockRule
    statuses: tuple[Place, ...]
    values: tuple[ValueColumn, ...]


class _NoTemplateError(Exception):
    """This push is for the generic path alone."""


def learn(plaintext: bytes, profile: str) -> Template | None:
    """Return the template of the layout that this push has; None where nothing fixed of it is stored.

    Args:
        plaintext: a verified DataNotification APDU.
        profile: name of the meter's profile.
    """
    try:
        notification = apdu.decode(plaintext)
        if not isinstance(notification, apdu.DataNotification) or apdu.encode(notification) != plaintext:
            return None
        push = interpret(notification, profile=profile)
        return _template(plaintext, notification, push)
    except (PeerError, UnknownProfileError, _NoTemplateError):
        return None


def _template(plaintext: bytes, notification: apdu.DataNotification, push: Push) -> Template:
    places = _places(notification.body, len(plaintext) - len(axdr.encode(notification.body)))
    free = np.zeros(len(plaintext), np.bool_)
    free[1:5] = True
    if notification.at is not None:
        free[STAMP_AT : STAMP_AT + DATE_TIME_OCTETS] = True
    profile = profile_of(push.profile)
    texts = tuple(_loosen(push.objects, profile, places, free))
    in_rows = push.push_setup in profile.rows and holds_rows(notification.body.elements)
    clocks = tuple(_own_clock(row, places, free) if in_rows else _shared_clock(push, row, places) for row in push.rows)
    statuses: tuple[Place, ...] = ()
    if push.kind is PushKind.LOAD_PROFILE:
        kind = PushKind.LOAD_PROFILE
        statuses = _statuses(push, places)
        values = _columns([list(_values(row, places, lambda o: interval_channel(o, profile))) for row in push.rows])
    else:
        kind = PushKind.REGISTERS
        values = _columns([list(_values(row, places, profile.register_channel)) for row in push.rows])
    if push.kind is PushKind.EVENTS or (not values and kind is PushKind.REGISTERS):
        raise _NoTemplateError
    fixed = np.flatnonzero(~free)
    expected = np.frombuffer(plaintext, np.uint8)[fixed]
    return Template(
        push.profile, kind, push.interval_s, fixed, expected, texts, clocks, profile.clock, statuses, values
    )


def _places(body: Data, at: int) -> dict[int, int]:
    """Return the offset of the content of every datum without elements, by the identity of the datum."""
    found: dict[int, int] = {}
    stack = [(body, at)]
    while stack:
        node, offset = stack.pop()
        size = len(axdr.encode(node))
        if node.tag is Tag.COMPACT_ARRAY or len(found) > MAX_LEAVES or id(node) in found:
            raise _NoTemplateError
        if node.tag not in (Tag.ARRAY, Tag.STRUCTURE):
            # Length octets stand before the content of strings alone, so the content is counted from the end.
            content = len(node.octets) if node.octets is not None else size - 1
            found[id(node)] = offset + size - content
            continue
        sizes = [len(axdr.encode(element)) for element in node.elements]
        inner = offset + size - sum(sizes)
        for element, width in zip(node.elements, sizes, strict=True):
            stack.append((element, inner))
            inner += width
    return found


def _at(source: Data | None, places: dict[int, int]) -> int:
    at = places.get(id(source))
    if at is None:
        raise _NoTemplateError
    return at


def _number_at(item: PushObject, places: dict[int, int]) -> Place:
    form = FORMATS.get(item.source.tag) if item.source is not None else None
    if form is None:
        raise _NoTemplateError
    return Place(_at(item.source, places), form)


def _is_named_clock(item: PushObject) -> bool:
    by_name = item.obis is not None and item.obis.octets[2:4] == _CLOCK_CD
    by_tag = item.source is not None and item.source.tag is Tag.DATE_TIME
    return isinstance(item.value, CosemDateTime) and (by_name or by_tag)


def _loosen(
    objects: Iterable[PushObject], profile: MeterProfile, places: dict[int, int], free: npt.NDArray[np.bool_]
) -> Iterator[int]:
    """Free the octets of values that may differ from push to push; yield the texts that must not become a clock."""
    for item in objects:
        octets = item.source.octets if item.source is not None else None
        if item.obis in profile.alarms:
            # Bits that are set are events, which columns do not know; a push without any fits while it stays so.
            if item.bits or (item.raw or 0) > 0:
                raise _NoTemplateError
        elif item.raw is not None:
            place = _number_at(item, places)
            free[place.offset : place.offset + np.dtype(place.form).itemsize] = True
        elif octets is not None and len(octets) != OBIS_OCTETS and (_is_named_clock(item) or _is_text(item)):
            # Six octets may be a name, and a name tells which layout it is.
            at = _at(item.source, places)
            free[at : at + len(octets)] = True
            if _is_text(item) and len(octets) == DATE_TIME_OCTETS:
                yield at


def _is_text(item: PushObject) -> bool:
    return isinstance(item.value, str)


def _own_clock(row: PushRow, places: dict[int, int], free: npt.NDArray[np.bool_]) -> int:
    source = row.objects[0].source
    if source is None or source.octets is None or len(source.octets) != DATE_TIME_OCTETS:
        raise _NoTemplateError
    at = _at(source, places)
    free[at : at + DATE_TIME_OCTETS] = True
    return at


def _shared_clock(push: Push, row: PushRow, places: dict[int, int]) -> int:
    """Return the place of the clock among the values, or else of the stamp of the notification."""
    named = next((item for item in row.objects if isinstance(item.value, CosemDateTime)), None)
    if named is None:
        if push.clock is None:
            raise _NoTemplateError
        return STAMP_AT
    if not _is_named_clock(named):
        # A clock that is one by its looks alone may be a text in the next push.
        raise _NoTemplateError
    return _at(named.source, places)


def _statuses(push: Push, places: dict[int, int]) -> tuple[Place, ...]:
    """Return the place of the last status of each row."""
    found = []
    for row in push.rows:
        status = [item for item in row.objects if item.obis == STATUS_OBIS]
        found += [_number_at(item, places) for item in status[-1:]]
    if found and len(found) != len(push.rows):
        raise _NoTemplateError
    return tuple(found)


_Found = tuple[Channel, int, Place]


def _values(row: PushRow, places: dict[int, int], channel_of: Callable[[Obis], Channel | None]) -> Iterator[_Found]:
    for item in row.objects:
        # A status is no value, whatever a profile calls it.
        channel = channel_of(item.obis) if item.obis is not None and item.obis != STATUS_OBIS else None
        shift = count_shift(item, channel) if channel is not None else None
        if channel is not None and shift is not None:
            yield channel, shift, _number_at(item, places)


def _columns(rows: list[list[_Found]]) -> tuple[ValueColumn, ...]:
    """Turn rows of values into columns; every row must hold the same quantities."""
    if not rows or any([v[:2] for v in row] != [v[:2] for v in rows[0]] for row in rows):
        raise _NoTemplateError
    return tuple(
        ValueColumn(channel, shift, tuple(row[number][2] for row in rows))
        for number, (channel, shift, _) in enumerate(rows[0])
    )
