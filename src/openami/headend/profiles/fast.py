"""Pushes of one layout, thousands at a time: compared with a template in one operation, read as columns.

A layout is learned from the first push that has it, whichever meter profile it is of; pushes of one profile and length
that fit are read through packed types, and whatever does not fit (another layout, nulls, a clock that names no moment,
a number that its column cannot hold) is left to the generic path. A property test holds both paths equal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.headend.profiles.model import PushKind
from openami.headend.profiles.rows import MAX_COUNT, MAX_STATUS
from openami.headend.profiles.stamps import CLOCK_OCTETS, NO_STAMP, read_stamps
from openami.headend.profiles.template import Place, Template, ValueColumn, learn

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WORTH_LEARNING = 4
"""A template costs as much as this many pushes on the generic path."""
MAX_TEMPLATES = 4
"""Layouts of one profile and one length that are kept: a model has one or two; a meter that sends more is not served
faster for it."""
MAX_SHAPES = 256
"""Pairs of profile and length that are kept, the oldest forgotten first: bounded, whatever is sent."""
_CLOCK_YEARS = (0x07, 0x08)
"""First octets with which twelve unnamed octets are taken for a clock."""


@dataclass(frozen=True, slots=True, eq=False)
class PushColumns:
    """Pushes of one layout: k pushes of r rows.

    Args:
        kind: load profile, or registers.
        interval_s: length of the intervals [s]; 0 for registers.
        message: (k,) index into the octets that were given.
        stamp: (k, r) start of the interval, or instant of the register; seconds since the epoch.
        status: (k, r) profile status bits; 0 where the layout has none.
        values: (channel, (k, r) values in the channel's counts).
    """

    kind: PushKind
    interval_s: int
    message: I64
    stamp: I64
    status: U16
    values: tuple[tuple[Channel, I64], ...]

    def keep(self, which: Mask) -> PushColumns:
        """Return the pushes (k,) that are marked."""
        values = tuple((channel, column[which]) for channel, column in self.values)
        return PushColumns(
            self.kind, self.interval_s, self.message[which], self.stamp[which], self.status[which], values
        )


class FastLayouts:
    """Templates learned so far. What it knows changes how fast a push is read, never what it says."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], tuple[Template, ...]] = OrderedDict()

    def decode(self, octets: U8, *, profile: str, zone: ZoneInfo | None) -> tuple[list[PushColumns], I64]:
        """Decode the pushes of one profile and one length.

        Args:
            octets: (n, length) verified DataNotification APDUs.
            profile: name of the meters' profile.
            zone: of a clock without deviation.

        Returns:
            Columns of all that fit, and the indexes of those that the generic path must read.
        """
        left = np.arange(len(octets))
        parts: list[PushColumns] = []
        shape = (profile, octets.shape[1])
        for template in self._known.get(shape, ()):
            left = _take(template, octets, left, zone, parts)
        if len(left) >= WORTH_LEARNING:
            new = learn(octets[left[0]].tobytes(), profile)
            if new is not None and not any(_same(new, old) for old in self._known.get(shape, ())):
                self._remember(shape, new)
                left = _take(new, octets, left, zone, parts)
        return parts, left

    def _remember(self, shape: tuple[str, int], template: Template) -> None:
        self._known[shape] = (template, *self._known.get(shape, ()))[:MAX_TEMPLATES]
        self._known.move_to_end(shape)
        if len(self._known) > MAX_SHAPES:
            self._known.popitem(last=False)


def decode_batch(
    plaintexts: Sequence[bytes], *, profile: str, zone: ZoneInfo | None, layouts: FastLayouts
) -> tuple[list[PushColumns], I64]:
    """Decode pushes of one profile and any lengths; as :meth:`FastLayouts.decode`."""
    by_length: dict[int, list[int]] = {}
    for number, plaintext in enumerate(plaintexts):
        by_length.setdefault(len(plaintext), []).append(number)
    parts: list[PushColumns] = []
    left: list[I64] = []
    for length, members in by_length.items():
        index = np.array(members, np.int64)
        if length == 0:
            left.append(index)
            continue
        octets = np.frombuffer(b"".join([plaintexts[i] for i in members]), np.uint8).reshape(-1, length)
        found, rest = layouts.decode(octets, profile=profile, zone=zone)
        left.append(index[rest])
        parts += [PushColumns(c.kind, c.interval_s, index[c.message], c.stamp, c.status, c.values) for c in found]
    return parts, np.sort(np.concatenate(left)) if left else np.zeros(0, np.int64)


def _same(new: Template, old: Template) -> bool:
    return np.array_equal(new.fixed, old.fixed) and np.array_equal(new.expected, old.expected)


def _take(template: Template, octets: U8, left: I64, zone: ZoneInfo | None, parts: list[PushColumns]) -> I64:
    """Move the pushes that fit from ``left`` to ``parts`` and return the others."""
    if not len(left):
        return left
    given = octets if len(left) == len(octets) else octets[left]
    fits = (given[:, template.fixed] == template.expected).all(axis=1)
    for text in template.texts:
        fits &= ~np.isin(given[:, text], _CLOCK_YEARS)
    if not fits.all():
        given = given[fits]
    columns, readable = _read(template, given, left[fits], zone)
    if len(columns.message):
        parts.append(columns)
    fits[fits] = readable
    rest: I64 = left[~fits]
    return rest


def _read(template: Template, octets: U8, message: I64, zone: ZoneInfo | None) -> tuple[PushColumns, Mask]:
    """Return the columns of pushes that fit, and which of them can be read so."""
    octets = np.ascontiguousarray(octets)
    clocks = np.stack([octets[:, at : at + CLOCK_OCTETS] for at in template.clocks], axis=1)
    stamp = read_stamps(clocks, zone, template.rule)
    readable = (stamp != NO_STAMP).all(axis=1)
    status, sound = _statuses(template, octets, len(template.clocks))
    readable &= sound
    values = []
    for column in template.values:
        counts, sound = _counts(column, octets)
        readable &= sound
        values.append((column.channel, counts))
    columns = PushColumns(
        template.kind, template.interval_s, message, stamp - template.interval_s, status, tuple(values)
    )
    return (columns if readable.all() else columns.keep(readable)), readable


def _numbers(places: Sequence[Place], octets: U8) -> list[npt.NDArray[np.integer]]:
    """Return the integers at each place, (n,) each."""
    record = np.dtype(
        {
            "names": [str(i) for i in range(len(places))],
            "formats": [p.form for p in places],
            "offsets": [p.offset for p in places],
            "itemsize": octets.shape[1],
        }
    )
    rows = octets.view(record).reshape(-1)
    return [rows[str(i)] for i in range(len(places))]


def _statuses(template: Template, octets: U8, rows: int) -> tuple[U16, Mask]:
    status: U16 = np.zeros((len(octets), rows), np.uint16)
    sound = np.ones(len(octets), np.bool_)
    for row, raw in enumerate(_numbers(template.statuses, octets)):
        if np.iinfo(raw.dtype).max > MAX_STATUS or np.iinfo(raw.dtype).min < 0:
            sound &= (raw >= 0) & (raw <= MAX_STATUS)
        status[:, row] = raw.astype(np.uint16)
    return status, sound


def _counts(column: ValueColumn, octets: U8) -> tuple[I64, Mask]:
    """Return the (n, r) values of a quantity, and which pushes hold only such as the generic path would give."""
    counts: I64 = np.empty((len(octets), len(column.places)), np.int64)
    sound = np.ones(len(octets), np.bool_)
    factor = 10 ** abs(column.shift)
    most = MAX_COUNT // factor if column.shift > 0 else MAX_COUNT
    for row, raw in enumerate(_numbers(column.places, octets)):
        limits = np.iinfo(raw.dtype)
        if limits.max > most or limits.min < -most:
            sound &= (raw <= most) & (raw >= -most)
        counts[:, row] = raw
    if factor > MAX_COUNT:
        sound &= (counts == 0).all(axis=1)
    elif column.shift > 0:
        counts *= factor
    elif column.shift < 0:
        sound &= (counts % factor == 0).all(axis=1)
        counts //= factor
    return counts, sound
