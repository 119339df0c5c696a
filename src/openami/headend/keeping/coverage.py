"""Which intervals of each meter came, which are missing, and which cannot be: the head-end's own memory.

A meter and a UTC day are one *page* of 96 quarter-hours as bits, and only pages that are not finished are kept: a
finished day is one bit of its meter. A million meters take about 100 MB, and gaps are known without asking the store.

Four bits a quarter-hour: *received* (emitted by us), *dark* (without supply from end to end, by the meter's own
events or between two rows that were cut short), *marked* (the row says that the supply failed in it), *absent* (the
meter was asked and has no row). Missing is what is expected and none of received, dark and absent.

Quarter-hours are numbered from 1970-01-01T00:00Z: a day is 96 of them whatever local time does.

Source: DESIGN section 4, step 4; the meter's capture rule: an interval that was dark from end to end leaves no row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.contracts.reading import UUIDS
from openami.headend.keeping.levels import Levels

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

SLOT_S = 900
SLOTS = 96
DAY_S = SLOT_S * SLOTS
DAY_OCTETS = SLOTS // 8
RING_DAYS = 64
"""A meter's finished days are the bits of one 64-bit number."""
DEPTH_DAYS = 60
"""What a meter's profile holds: older gaps can be read from nowhere."""
NEVER_S = 2**60
NONE = -1
DAY_BITS = 20
"""Days since 1970 fit; a page's key is ``meter << 20 | day``."""
DAY_MASK = (1 << DAY_BITS) - 1
SLOT_BITS = 27
SLOT_MASK = (1 << SLOT_BITS) - 1
"""Quarter-hours since 1970 fit."""
RECEIVED, DARK, MARKED, ABSENT = range(4)
KINDS = 4
_ONE = np.uint64(1)


def page_key(number: I64, day: I64 | int) -> I64:
    """Return the keys of pages."""
    return number << DAY_BITS | day


@dataclass(slots=True, eq=False)
class Coverage:
    """Coverage of the meters of one lease group. A meter's number is its place in the columns and stays.

    Args:
        began_s: since when anything is expected of meters that hung before, seconds since the epoch.
        levels: counts of what came how soon.
        today: the last UTC day that was begun.
        title: system titles as big-endian integers.
        meter_id: (n,) V16.
        since, until: first expected quarter-hour and first that is no longer expected.
        is_rostered: whether the registry said so, or the first frame.
        counted: first quarter-hour that counts in service levels: when the registry first told of the meter. What came
            before nobody waited for.
        down_s: since when the meter has no supply, by its own word; -1 where it has.
        newest: newest quarter-hour that came; -1 for none.
        cell: number of the radio cell; -1 for none.
        opened: last day whose page was begun.
        finished: bit ``day % 64`` is set where nothing of the day is missing.
        key: pages in order; ``bits`` (pages, 4, 12) are theirs.
        changed: numbers of meters to be written next.
    """

    began_s: int
    levels: Levels = field(default_factory=Levels)
    today: int = NONE
    title: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    meter_id: UUIDS = field(default_factory=lambda: np.zeros(0, "V16"))
    since: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    until: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    counted: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    is_rostered: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    down_s: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    newest: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    cell: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    opened: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    finished: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    key: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    bits: U8 = field(default_factory=lambda: np.zeros((0, KINDS, DAY_OCTETS), np.uint8))
    changed: set[int] = field(default_factory=set)
    _sorted: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    _order: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    _mixed: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    _mixed_order: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.title)

    def find(self, titles: U64) -> I64:
        """Return the meters' numbers, -1 for a title that is not known."""
        return _looked_up(titles, self._sorted, self._order)

    def find_ids(self, meter_ids: UUIDS) -> I64:
        """Return the meters' numbers by their ids, -1 for an id that is not known."""
        found = _looked_up(_mix(meter_ids), self._mixed, self._mixed_order)
        if not len(self):
            return found
        same = (_halves(self.meter_id)[found] == _halves(meter_ids)).all(axis=1)
        return np.where(same, found, NONE)

    def numbers(self, titles: U64, meter_ids: UUIDS) -> I64:
        """Return the meters' numbers; new titles get one.

        Args:
            titles: (n,) system titles as big-endian integers.
            meter_ids: (n,) their ids.
        """
        found = self.find(titles)
        strangers = np.flatnonzero(found < 0)
        if not len(strangers):
            return found
        new, first = np.unique(titles[strangers], return_index=True)
        self._grow(new, meter_ids[strangers[first]])
        return self.find(titles)

    def enroll(self, titles: U64, meter_ids: UUIDS, *, since_s: I64, until_s: I64, cells: I64, now_s: int) -> None:
        """Take what the registry says: where meters hang and for how long.

        Args:
            titles: (n,) system titles as big-endian integers, each once.
            meter_ids: (n,) their ids.
            since_s: (n,) installed at, seconds since the epoch.
            until_s: (n,) removed at; :data:`NEVER_S` while it hangs.
            cells: (n,) number of the radio cell; -1 for none.
            now_s: domain time.
        """
        at = self.numbers(titles, meter_ids)
        # A meter that hung before we began owes us nothing from then.
        since, until = -(-np.maximum(since_s, self.began_s) // SLOT_S), until_s // SLOT_S
        moved = at[(self.since[at] != since) | (self.until[at] != until) | ~self.is_rostered[at]]
        self.opened[at] = np.where(
            since < self.since[at], np.minimum(self.opened[at], since // SLOTS - 1), self.opened[at]
        )
        new = at[~self.is_rostered[at]]
        self.counted[new] = now_s // SLOT_S
        self.since[at], self.until[at], self.cell[at], self.is_rostered[at] = since, until, cells, True
        self.changed.update(moved.tolist())

    def receive(self, number: I64, start_s: I64, *, is_marked: Mask, arrived_s: I64, now_s: int) -> int:
        """Note intervals that were emitted, and return how many of them were new.

        Args:
            number: (m,) meter of each interval.
            start_s: (m,) interval start, seconds since the epoch.
            is_marked: (m,) whether the row says that the supply failed in it.
            arrived_s: (m,) when its frame was collected.
            now_s: domain time. Rows from the future and rows older than a profile change nothing.
        """
        self.roll(now_s)
        slot = start_s // SLOT_S
        keep = (slot // SLOTS <= self.today) & (slot // SLOTS > self.today - DEPTH_DAYS)
        number, slot, is_marked, arrived_s = number[keep], slot[keep], is_marked[keep], arrived_s[keep]
        if not len(number):
            return 0
        self._hear(number, slot)
        ring = (slot // SLOTS % RING_DAYS).astype(np.uint64)
        fresh = (self.finished[number] >> ring & _ONE) == 0
        number, slot, is_marked, arrived_s = number[fresh], slot[fresh], is_marked[fresh], arrived_s[fresh]
        new = self.set_bits(RECEIVED, number, slot)
        self.set_bits(MARKED, number[is_marked], slot[is_marked])
        number, slot, arrived_s = number[new], slot[new], arrived_s[new]
        # Of a meter that hangs nowhere nobody expects anything yet.
        first = np.maximum(self.since[number], self.counted[number])
        due = self.is_rostered[number] & (slot >= first) & (slot < self.until[number])
        self.levels.add(slot[due] // SLOTS, self.cell[number[due]], arrived_s[due] - (slot[due] + 1) * SLOT_S)
        return len(number)

    def lose_supply(self, number: int, at_s: int) -> None:
        """Note that a meter says its supply failed, unless an interval that began later is here already."""
        if int(self.newest[number]) * SLOT_S < at_s:
            down_s = int(self.down_s[number])
            self.down_s[number] = at_s if down_s < 0 else min(at_s, down_s)
            self.changed.add(number)

    def excuse(self, number: int, from_s: int, to_s: int) -> None:
        """Note that a meter had no supply in ``[from_s, to_s)``: quarter-hours wholly inside leave no row."""
        first = max(-(-from_s // SLOT_S), (self.today - DEPTH_DAYS + 1) * SLOTS)
        slots = np.arange(first, max(first, min(to_s // SLOT_S, (self.today + 1) * SLOTS)), dtype=np.int64)
        self._set_unfinished(DARK, number, slots)
        if 0 <= self.down_s[number] <= to_s:
            self.down_s[number] = NONE
            self.changed.add(number)

    def find_absent(self, number: int, first: int, count: int) -> int:
        """Note that a meter was asked for these quarter-hours and answered in full.

        Returns:
            How many of them it has no row of.
        """
        oldest = (self.today - DEPTH_DAYS + 1) * SLOTS
        slots = np.arange(max(first, oldest), max(first + count, oldest), dtype=np.int64)
        known = self.has_bits(np.full(len(slots), number, np.int64), slots)
        return self._set_unfinished(ABSENT, number, slots[~known])

    def has_bits(self, number: I64, slot: I64) -> Mask:
        """Tell of quarter-hours whether anything is known of them: (m,) for (m,) meters and slots."""
        done = (self.finished[number] >> (slot // SLOTS % RING_DAYS).astype(np.uint64) & _ONE) == 1
        wanted = page_key(number, slot // SLOTS)
        if not len(self.key):
            return np.asarray(done)
        at = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
        octet = np.bitwise_or.reduce(self.bits[at][np.arange(len(slot)), :, slot % SLOTS // 8], axis=1)
        here = (self.key[at] == wanted) & (octet >> (slot % 8).astype(np.uint8) & 1 == 1)
        return np.asarray(done | here)

    def set_bits(self, kind: int, number: I64, slot: I64) -> I64:
        """Set bits of pages, begun where there is none, and return the places of those that were not set before."""
        if not len(number):
            return np.zeros(0, np.int64)
        # In order of meter and time, each once; sorting one number is much faster than sorting pairs.
        packed, once = np.unique(number << SLOT_BITS | slot, return_index=True)
        keys = page_key(packed >> SLOT_BITS, (packed & SLOT_MASK) // SLOTS)
        begun = np.append(True, keys[1:] != keys[:-1])
        self.begin_pages(keys[begun])
        at = np.searchsorted(self.key, keys[begun])[np.cumsum(begun) - 1]
        place = (packed & SLOT_MASK) % SLOTS
        octet, bit = place // 8, np.uint8(1) << (place % 8).astype(np.uint8)
        fresh = np.flatnonzero(self.bits[at, kind, octet] & bit == 0)
        np.bitwise_or.at(self.bits, (at[fresh], kind, octet[fresh]), bit[fresh])
        new = once[fresh]
        self.changed.update(np.unique(number[new]).tolist())
        return np.sort(new)

    def begin_pages(self, keys: I64) -> None:
        """Begin pages that are not there: ``keys`` in order, each once."""
        at = np.searchsorted(self.key, keys)
        missing = keys[self.key[np.minimum(at, len(self.key) - 1)] != keys] if len(self.key) else keys
        if len(missing):
            at = np.searchsorted(self.key, missing)
            self.key = np.insert(self.key, at, missing)
            self.bits = np.insert(self.bits, at, 0, axis=0)

    def roll(self, now_s: int) -> None:
        """Begin the days up to now and let go of those that no profile holds any more."""
        day = now_s // DAY_S
        if day <= self.today:
            return
        for one in range(max(self.today + 1, day - RING_DAYS + 1), day + 1):
            # Until now this bit spoke of the day 64 days ago.
            self.finished &= ~(_ONE << np.uint64(one % RING_DAYS))
        self.today = day
        self.levels.forget(day - RING_DAYS)
        keep = self.key & DAY_MASK > day - DEPTH_DAYS
        self.key, self.bits = self.key[keep], self.bits[keep]

    def _set_unfinished(self, kind: int, number: int, slots: I64) -> int:
        open_ = (self.finished[number] >> (slots // SLOTS % RING_DAYS).astype(np.uint64) & _ONE) == 0
        slots = slots[open_]
        return len(self.set_bits(kind, np.full(len(slots), number, np.int64), slots))

    def _hear(self, number: I64, slot: I64) -> None:
        """Take from rows alone: expected since when, the newest, and that the supply is back."""
        loose = ~self.is_rostered[number]
        np.minimum.at(self.since, number[loose], slot[loose])
        np.minimum.at(self.opened, number[loose], slot[loose] // SLOTS - 1)
        np.maximum.at(self.newest, number, slot)
        # When the supply came back, the row's mark or the event tells.
        self.down_s[number[(self.down_s[number] >= 0) & (slot * SLOT_S >= self.down_s[number])]] = NONE
        self.changed.update(np.unique(number).tolist())

    def _grow(self, titles: U64, meter_ids: UUIDS) -> None:
        n = len(titles)
        self.title = np.concatenate([self.title, titles])
        self.meter_id = np.concatenate([self.meter_id, meter_ids])
        for name, value in (("since", NEVER_S), ("until", NEVER_S // SLOT_S), ("down_s", NONE), ("newest", NONE),
                            ("cell", NONE), ("opened", self.today), ("counted", 0)):  # fmt: skip
            setattr(self, name, np.concatenate([getattr(self, name), np.full(n, value, np.int64)]))
        self.is_rostered = np.concatenate([self.is_rostered, np.zeros(n, np.bool_)])
        self.finished = np.concatenate([self.finished, np.zeros(n, np.uint64)])
        self._order = np.argsort(self.title, kind="stable").astype(np.int64)
        self._sorted = self.title[self._order]
        mixed = _mix(self.meter_id)
        self._mixed_order = np.argsort(mixed, kind="stable").astype(np.int64)
        self._mixed = mixed[self._mixed_order]


def _looked_up(wanted: U64, ordered: U64, order: I64) -> I64:
    if not len(ordered):
        return np.full(len(wanted), NONE, np.int64)
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[at] == wanted, order[at], NONE)


def _halves(meter_ids: UUIDS) -> U64:
    return np.ascontiguousarray(meter_ids).view("<u8").reshape(-1, 2)


def _mix(meter_ids: UUIDS) -> U64:
    """Return 64 bits of each id; two ids that share them are told apart by comparing whole."""
    halves = _halves(meter_ids)
    return np.asarray(halves[:, 0] * np.uint64(0x9E37_79B9_7F4A_7C15) ^ halves[:, 1])
