"""From gaps to requests: which meter is asked for which span, newest first, never more than the lists hold.

A meter has one request for intervals at a time, for the newest stretch that a request's rows allow; small holes are
read along, because a row read twice collapses and a second exchange costs more air than a few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from openami.headend.keeping.coverage import I64, SLOT_S
from openami.headend.keeping.gaps import Gaps
from openami.headend.keeping.request import Lane, Request, RequestKind, derived_id
from openami.kernel.ids import SystemTitle

MAX_ROWS = 96
"""Rows of one request: a day, some 3 kB, which two or three blocks carry."""
MERGE_SLOTS = 8
"""A hole of received rows up to this long is read again rather than asked around."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What planning needs beside the gaps.

    Args:
        name_of: meter number to (meter id, system title); None where it has no keys.
        skip: numbers of meters that are not asked now: they have an open request, rest, or have no supply.
        room: requests that the agenda can still take.
        now_s: domain time.
    """

    name_of: Callable[[int], tuple[UUID, SystemTitle] | None]
    skip: frozenset[int]
    room: int
    now_s: int


def plan_recovery(gaps: Gaps, recovery: Recovery) -> list[Request]:
    """Return requests for the newest gaps of meters that may be asked, newest first.

    Args:
        gaps: by meter and time.
        recovery: who may be asked.
    """
    usable = ~np.isin(gaps.number, np.array(sorted(recovery.skip), np.int64))
    number, first, end = gaps.number[usable], gaps.first[usable], (gaps.first + gaps.count)[usable]
    # The last gap of each meter is its newest; gaps are in order of meter and time.
    last = np.flatnonzero(np.diff(number, append=-1) != 0)
    requests: list[Request] = []
    for at in last[np.argsort(-end[last], kind="stable")].tolist():
        if len(requests) >= recovery.room:
            break
        name = recovery.name_of(int(number[at]))
        if name is None:
            continue
        from_slot, to_slot = _stretch(number, first, end, at)
        requests.append(_request(*name, from_slot * SLOT_S, to_slot * SLOT_S, recovery.now_s))
    return requests


def _stretch(number: I64, first: I64, end: I64, at: int) -> tuple[int, int]:
    """Return the span, half-open, of a meter's newest gap with the older ones that are near and fit."""
    meter, to_slot, from_slot = int(number[at]), int(end[at]), int(first[at])
    oldest = to_slot - MAX_ROWS
    while from_slot > oldest and at > 0 and number[at - 1] == meter and from_slot - int(end[at - 1]) <= MERGE_SLOTS:
        at -= 1
        from_slot = int(first[at])
    return max(from_slot, oldest), to_slot


def _request(meter_id: UUID, title: SystemTitle, from_s: int, to_s: int, now_s: int) -> Request:
    kind = RequestKind.INTERVALS
    return Request(
        derived_id(meter_id, kind, from_s, to_s), meter_id, title, kind, Lane.BACKGROUND, from_s, to_s, now_s
    )
