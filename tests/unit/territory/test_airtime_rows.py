"""What the simulated radios counted becomes rows of the meters that hang there, never less than was sent."""

from __future__ import annotations

from datetime import date

import numpy as np

from openami.app.territory.territory_airtime import airtime_rows
from openami.contracts.frame import FrameClass
from openami.kernel.ids import SystemTitle
from openami.sim.mesh import OnAir, TerritoryAir

HOMES = 12
NOON_S = 20_000 * 86_400 + 43_200
TITLES = {home: SystemTitle(b"OAM" + home.to_bytes(5)) for home in range(HOMES) if home != 5}


def test_each_meter_of_each_cell_has_a_row_once_something_was_counted() -> None:
    air = TerritoryAir(1, np.repeat([0, 1], HOMES // 2))
    assert airtime_rows(air, TITLES, now_s=NOON_S) == [[], []]
    air.close(NOON_S)
    air.carry([OnAir(NOON_S + h, h, FrameClass.PROFILE, 300) for h in range(HOMES)], slot=NOON_S // 900)
    air.close(NOON_S + 3_600)
    cells = airtime_rows(air, TITLES, now_s=NOON_S + 3_600)
    assert [[r.title for r in rows] for rows in cells] == [
        [TITLES[h] for h in range(HOMES // 2) if h != 5],
        [TITLES[h] for h in range(HOMES // 2, HOMES)],
    ]
    for row in (r for rows in cells for r in rows):
        assert row.day == date(2024, 10, 4)
        # 300 octets at 50 kbit/s are 48 ms at least, and an hour of beacons is counted with them.
        assert row.own_ms >= 48
        assert row.beacon_ms > 1_000
        assert row.own_ms + row.relayed_ms < row.worst_ms + row.beacon_ms
