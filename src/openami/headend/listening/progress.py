"""What a group has done since its last snapshot: gathered while batches pass, written with the position."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from openami.contracts.deadletter import DeadLetter
from openami.headend.listening.intake import Accepted, Outcome, refusal_counts
from openami.headend.listening.snapshot import encode_page
from openami.headend.listening.window import NONE_SEEN, CounterWindows, Rows
from openami.headend.state_ports import LastFrames, Snapshot
from openami.security.keys.table import KeyTable

MAX_LETTERS = 2_000
"""Letters kept for the staff page in one snapshot; a flood is counted in full and lies in the stream in full."""
MAX_LETTER_OCTETS = 4 * 1024 * 1024
"""And not more than this of their frames."""
DAY_MS = 86_400_000
LETTER_DAYS = 45
"""As long as the stream keeps them."""
MIN_BASE_OCTETS = 256 * 1024
"""Changed pages may grow to the size of the base, or this, before a new base is written."""


@dataclass(slots=True)
class Progress:
    """Gathers outcomes of one group between snapshots.

    Args:
        partitions: the group's.
        position: stream sequence of the last outcome whose outputs are durable.
        since: position of the last snapshot.
    """

    partitions: frozenset[int]
    position: int
    since: int
    base_octets: int = 0
    delta_octets: int = 0
    frames: int = 0
    letter_octets: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened since the last snapshot."""
        return self.frames == 0 and not self.refusals

    def add(self, outcome: Outcome) -> None:
        """Take an outcome whose outputs are durable."""
        self.position = outcome.last_seq
        self.frames += outcome.frames
        self.refusals += refusal_counts(outcome.letters)
        for letter in outcome.letters:
            if len(self.letters) < MAX_LETTERS and self.letter_octets < MAX_LETTER_OCTETS:
                self.letters.append(letter)
                self.letter_octets += len(letter.frame)
        if len(outcome.accepted):
            self.accepted.append(outcome.accepted)

    def snapshot(self, windows: CounterWindows, table: KeyTable, *, now_ms: int) -> Snapshot:
        """Return all that must be written; this object stays as it is until :meth:`written`.

        Args:
            windows: counter windows of all groups.
            table: key pairs of all groups.
            now_ms: domain time, milliseconds since the epoch.
        """
        rows = np.concatenate([a.rows for a in self.accepted]) if self.accepted else np.zeros(0, np.int64)
        windows.grow(len(table))
        is_base = self.delta_octets >= max(self.base_octets, MIN_BASE_OCTETS) or self.base_octets == 0
        page_rows = _rows_of_group(windows, table, self.partitions) if is_base else np.unique(rows)
        return Snapshot(
            since=self.since,
            position=self.position,
            page=encode_page(windows, table, page_rows),
            is_base=is_base,
            frames=self.frames,
            accepted=len(rows),
            refusals=Counter(self.refusals),
            letters=list(self.letters),
            forget_before_ms=now_ms - LETTER_DAYS * DAY_MS if is_base else None,
            last_frames=_last_frames(self.accepted, rows, table),
        )

    def written(self, snapshot: Snapshot) -> None:
        """Forget what the snapshot holds."""
        size = len(snapshot.page)
        self.base_octets, self.delta_octets = (
            (size, 0) if snapshot.is_base else (self.base_octets, self.delta_octets + size)
        )
        self.since = snapshot.position
        self.frames = 0
        self.refusals.clear()
        self.letters.clear()
        self.letter_octets = 0
        self.accepted.clear()


def rows_of_partitions(table: KeyTable, partitions: frozenset[int]) -> Rows:
    """Return the rows of the key table that belong to these partitions."""
    return np.flatnonzero(np.isin(table.partition, list(partitions))).astype(np.int64)


def _rows_of_group(windows: CounterWindows, table: KeyTable, partitions: frozenset[int]) -> Rows:
    rows = rows_of_partitions(table, partitions)
    used: Rows = rows[windows.highest[rows] != NONE_SEEN]
    return used


def _last_frames(accepted: list[Accepted], rows: Rows, table: KeyTable) -> LastFrames:
    """Return the newest frame of each meter, by order of arrival."""
    counters, collected, received = (
        np.concatenate([getattr(a, name) for a in accepted]) if accepted else np.zeros(0, np.int64)
        for name in ("counters", "collected_at_ms", "received_at_ms")
    )
    # Two generations of one meter's keys are two rows and one meter.
    _, newest, inverse = np.unique(table.meter_id[rows][::-1], return_index=True, return_inverse=True)
    at = len(rows) - 1 - newest
    return LastFrames(
        meter_id=table.meter_id[rows[at]],
        generation=table.generation[rows[at]].astype(np.int64),
        counter=counters[at],
        collected_at_ms=collected[at],
        received_at_ms=received[at],
        frames=np.bincount(inverse, minlength=len(at)).astype(np.int64),
    )
