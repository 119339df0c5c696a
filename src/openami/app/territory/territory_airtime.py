"""What the simulated radios counted, as the rows that their collectors tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from openami.contracts.airtime import EPOCH_DAY, WINDOW_MS, AirtimeDay
from openami.kernel.ids import SystemTitle
from openami.network.radio import DayUse
from openami.sim.mesh import TerritoryAir

DAY_S = 86_400
TELL_EVERY_S = 60.0
"""Real time. The gateway takes one message of a collector in half of that."""


def airtime_rows(air: TerritoryAir, title_at: Mapping[int, SystemTitle], *, now_s: int) -> list[list[AirtimeDay]]:
    """Return, for each cell, what its meters counted today and on the day before; nothing of days without a count.

    Args:
        air: the territory's.
        title_at: the meter that hangs at each home now; the radio of a home goes on counting through an exchange.
        now_s: domain time, seconds since the epoch.
    """
    today = now_s // DAY_S
    rows: list[list[AirtimeDay]] = [[] for _ in air.cells]
    for day in (today - 1, today):
        for cell, (first_home, use) in enumerate(air.day(day)):
            rows[cell] += _rows_of(use, first_home, title_at)
    return rows


def _rows_of(use: DayUse, first_home: int, title_at: Mapping[int, SystemTitle]) -> list[AirtimeDay]:
    day = EPOCH_DAY + timedelta(days=use.day)
    rows = []
    for node in range(1, len(use.own_us)):
        title = title_at.get(first_home + node - 1)
        # Rounded up: what is counted is never less than what was sent.
        own, relayed, beacon, worst = (
            -(-int(column[node]) // 1_000) for column in (use.own_us, use.relayed_us, use.beacon_us, use.worst_us)
        )
        if title is not None and own + relayed + beacon:
            rows.append(AirtimeDay(title, day, own, relayed, beacon, min(worst, WINDOW_MS)))
    return rows
