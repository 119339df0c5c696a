"""The packed table of keys that the head-end opens with: 32 octets of key a meter instead of an object each.

A million cached cipher objects cost 2.4 GB and are no faster than one made per message from packed octets
(measured; see the performance notes), so the table holds columns. A *row* is one key pair: a (meter, generation).
Row numbers are stable: rows are appended and never moved, so that counter windows may be indexed by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID
from zlib import crc32

import numpy as np
import numpy.typing as npt

from openami.contracts.reading import UUIDS
from openami.contracts.stream import PARTITIONS
from openami.security.keys.context import KeyState
from openami.security.keys.level import SecurityLevel, security_level
from openami.security.keys.weak import KEY_OCTETS

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NO_ROW = -1
PAIR_OCTETS = 2 * KEY_OCTETS
STATES = (KeyState.ACTIVE, KeyState.NEW, KeyState.EXPIRED, KeyState.WITHDRAWN)
"""In the order in which keys are tried; the number in ``KeyColumns.state`` is the place in this tuple."""
_ACTIVE, _WITHDRAWN = STATES.index(KeyState.ACTIVE), STATES.index(KeyState.WITHDRAWN)


def title_number(title: bytes) -> int:
    """Return the eight octets of a title as an integer, big-endian: the form titles have in columns."""
    return int.from_bytes(title, "big")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class KeyColumns:
    """Key pairs as columns of one length n. Its text is a mask.

    Args:
        title: (n,) system titles as big-endian integers.
        meter_id: (n,) V16.
        generation: (n,) key generation, from 1.
        state: (n,) place in :data:`STATES`.
        profile: name of the meter profile of each row.
        zone: IANA zone of each row's clock; empty for the installation's.
        encryption_keys, authentication_keys: 16 * n octets each.
        revision: the vault's revision that these rows stand at.
        spoiled: by place, what is wrong with rows of the vault that do not open: their octets here are nobody's keys.
            The words name meter and generation.
        compromised: (n,) whether the pair, or the master key it came under, is marked as leaked; None where none is.
    """

    title: U64
    meter_id: UUIDS
    generation: U32
    state: U8
    profile: tuple[str, ...]
    zone: tuple[str, ...]
    encryption_keys: bytes
    authentication_keys: bytes
    revision: int
    spoiled: Mapping[int, str] = field(default_factory=dict)
    compromised: Flags | None = None

    def __len__(self) -> int:
        return len(self.title)

    def __repr__(self) -> str:
        return f"KeyColumns({len(self)} key pairs, ***)"


class KeyTable:
    """Key pairs by system title. Grows in place; not for use by two threads at once."""

    def __init__(self) -> None:
        self.title: U64 = np.zeros(0, np.uint64)
        self.meter_id: UUIDS = np.zeros(0, "V16")
        self.generation: U32 = np.zeros(0, np.uint32)
        self.state: U8 = np.zeros(0, np.uint8)
        self.partition: U8 = np.zeros(0, np.uint8)
        self.compromised: Flags = np.zeros(0, np.bool_)
        self._dialect: U32 = np.zeros(0, np.uint32)
        self._names: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self.revision = 0
        self._keys: U8 = np.zeros((0, PAIR_OCTETS), np.uint8)
        self._order: Rows = np.zeros(0, np.int64)
        self._sorted: U64 = np.zeros(0, np.uint64)
        self._every_row: Rows = np.zeros(0, np.int64)
        self._every_title: U64 = np.zeros(0, np.uint64)

    def __len__(self) -> int:
        return len(self.title)

    def __repr__(self) -> str:
        return f"KeyTable({len(self)} key pairs, ***)"

    def merge(self, columns: KeyColumns) -> None:
        """Take changed rows: a known (title, generation) is updated where it stands, others are appended.

        A spoiled row that is known keeps the keys it had, until it is withdrawn. One that is not known is taken as
        withdrawn: nothing is opened with it, and the counters that were accepted under it have a place to be kept in.
        """
        at = self.find(columns.title, columns.generation)
        known, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
        pairs = _joined(columns)
        for i in known.tolist():
            self._overwrite(int(at[i]), columns, i, pairs[i])
        if len(new):
            self._append(columns, new.tolist())
        self._sort()
        self.revision = max(self.revision, columns.revision)

    def title_of(self, meter_id: UUID) -> str:
        """Return a meter's system title in hexadecimal digits; empty where it has no keys. Looks at every row."""
        found = np.flatnonzero(self.meter_id == np.void(meter_id.bytes))
        return f"{int(self.title[found[0]]):016x}" if len(found) else ""

    def candidates(self, titles: U64) -> tuple[Rows, Rows]:
        """Return where each title's key pairs are: (first place, count) in the order of trial.

        Args:
            titles: (n,) big-endian titles as they came.

        Returns:
            (n,) places for :meth:`row_at`, and (n,) how many key pairs may be tried; 0 for an unknown title.
        """
        first = np.searchsorted(self._sorted, titles, side="left").astype(np.int64)
        last = np.searchsorted(self._sorted, titles, side="right").astype(np.int64)
        return first, last - first

    def row_at(self, places: Rows) -> Rows:
        """Return the rows at these places of trial."""
        return self._order[places]

    def level_of(self, title: bytes) -> SecurityLevel:
        """Return how far a meter's keys can be trusted, by what the vault said last.

        Args:
            title: eight octets; a title that nobody knows has level NONE.
        """
        first, count = self.candidates(np.array([title_number(title)], np.uint64))
        rows = self.row_at(np.arange(first[0], first[0] + count[0]))
        active = rows[self.state[rows] == _ACTIVE]
        if not len(active):
            return security_level(None, is_compromised=False)
        return security_level(int(self.generation[active[0]]), is_compromised=bool(self.compromised[active].any()))

    def find(self, titles: U64, generations: U32) -> Rows:
        """Return the row of each (title, generation), or -1. Withdrawn rows are found too.

        Args:
            titles: (n,) big-endian titles.
            generations: (n,) key generations.
        """
        row = np.full(len(titles), NO_ROW, np.int64)
        first = np.searchsorted(self._every_title, titles, side="left")
        last = np.searchsorted(self._every_title, titles, side="right")
        # A title has a handful of generations, so this loop turns a handful of times.
        for step in range(int((last - first).max(initial=0))):
            here = np.flatnonzero((first + step < last) & (row == NO_ROW))
            candidate = self._every_row[first[here] + step]
            row[here] = np.where(self.generation[candidate] == generations[here], candidate, NO_ROW)
        return row

    def key_pairs(self, rows: Rows) -> list[bytes]:
        """Return encryption key and authentication key of each row, joined, 32 octets.

        Args:
            rows: (n,) row numbers.
        """
        return [pair.tobytes() for pair in self._keys[rows]]

    def pair_columns(self, rows: Rows) -> U8:
        """Return what :meth:`key_pairs` does as (n, 32) octets."""
        return self._keys[rows]

    def dialects(self, rows: Rows) -> list[tuple[tuple[str, str], Rows]]:
        """Return what the meters of these rows speak: ((profile, zone), places in ``rows``) for each that occurs.

        Args:
            rows: (n,) row numbers.
        """
        spoken = self._dialect[rows]
        return [(self._names[number], np.flatnonzero(spoken == number)) for number in np.unique(spoken).tolist()]

    def _dialect_number(self, profile: str, zone: str) -> int:
        name = (profile, zone)
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        return number

    def _overwrite(self, row: int, columns: KeyColumns, i: int, pair: U8) -> None:
        self.compromised[row] = columns.compromised is not None and columns.compromised[i]
        if i in columns.spoiled and columns.state[i] != _WITHDRAWN:
            return
        self.state[row] = columns.state[i]
        self._dialect[row] = self._dialect_number(columns.profile[i], columns.zone[i])
        self._keys[row] = pair

    def _append(self, columns: KeyColumns, new: list[int]) -> None:
        titles = columns.title[new]
        octets = titles.astype(">u8").tobytes()
        partitions = [crc32(octets[8 * i : 8 * i + 8]) % PARTITIONS for i in range(len(new))]
        self.title = np.concatenate([self.title, titles])
        self.meter_id = np.concatenate([self.meter_id, columns.meter_id[new]])
        self.generation = np.concatenate([self.generation, columns.generation[new]])
        states = [_WITHDRAWN if i in columns.spoiled else columns.state[i] for i in new]
        self.state = np.concatenate([self.state, np.array(states, np.uint8)])
        self.partition = np.concatenate([self.partition, np.array(partitions, np.uint8)])
        marked = np.zeros(len(columns), np.bool_) if columns.compromised is None else columns.compromised
        self.compromised = np.concatenate([self.compromised, marked[new]])
        spoken = [self._dialect_number(columns.profile[i], columns.zone[i]) for i in new]
        self._dialect = np.concatenate([self._dialect, np.array(spoken, np.uint32)])
        self._keys = np.concatenate([self._keys, _joined(columns)[new]])

    def _sort(self) -> None:
        usable = np.flatnonzero(self.state != _WITHDRAWN)
        # The newest generation of the best state is tried first.
        order = np.lexsort((-self.generation[usable].astype(np.int64), self.state[usable], self.title[usable]))
        self._order = usable[order]
        self._sorted = self.title[self._order]
        self._every_row = np.argsort(self.title, kind="stable").astype(np.int64)
        self._every_title = self.title[self._every_row]


def _joined(columns: KeyColumns) -> U8:
    encryption = np.frombuffer(columns.encryption_keys, np.uint8).reshape(len(columns), KEY_OCTETS)
    authentication = np.frombuffer(columns.authentication_keys, np.uint8).reshape(len(columns), KEY_OCTETS)
    return np.hstack([encryption, authentication])
