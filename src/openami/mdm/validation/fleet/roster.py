"""The meters of plain days, as columns: who hung where all day long. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.reading import I64, U32, UUIDS, uuid_column
from openami.kernel.time import epoch_s, local_midnight
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.store.ids import sorted_ids
from openami.mdm.vee.estimate import LOOK_BACK_DAYS
from openami.mdm.vee.grid import BOOLS, Grid, grid_of


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """M meters, by id, each at one service point over a day, the one before and the one after, with one multiplier.

    Args:
        meter, point: (M,) V16.
        channels: (M,) bit k set: the meter has channel k.
        capacity: (M,) count at which its registers roll over; 0 where unknown.
        resolution: (M,) counts that they resolve.
        multiplier: (M,) applied to energy.
        limit_w: (M,) the most it can measure [W], before the multiplier.
        may_feed_in: (M,) an interconnection is approved, or the registry keeps no approvals.
        neighborhood: (M,) number of the transformer or feeder, -1 where it is not known; None where none is.
        is_long: (M,) it hung there over all the days that an estimate may refer to; None where that is not known.
    """

    meter: UUIDS
    point: UUIDS
    channels: U32
    capacity: I64
    resolution: I64
    multiplier: I64
    limit_w: I64
    may_feed_in: BOOLS
    neighborhood: I64 | None = None
    is_long: BOOLS | None = None

    def __len__(self) -> int:
        return len(self.meter)

    def has(self, channel: Channel) -> BOOLS:
        """Tell which meters have a channel."""
        return np.asarray((self.channels >> np.uint32(channel)) & np.uint32(1)).astype(bool)

    def at(self, rows: slice | I64) -> Roster:
        """Return some of the meters."""
        return Roster(
            self.meter[rows], self.point[rows], self.channels[rows], self.capacity[rows], self.resolution[rows],
            self.multiplier[rows], self.limit_w[rows], self.may_feed_in[rows],
            None if self.neighborhood is None else self.neighborhood[rows],
            None if self.is_long is None else self.is_long[rows],
        )  # fmt: skip


def roster_of(
    grid: Grid,
    installed: Sequence[InstalledMeter],
    careful: Collection[UUID],
    *,
    feeding_in: Collection[UUID] | None = None,
) -> Roster:
    """Return the meters whose day is plain as far as the registry knows.

    Args:
        grid: the day.
        installed: all installations that touch the day and the two days around it.
        careful: service points that the careful road must look at, for decisions or findings about them.
        feeding_in: service points that may feed in; None where the registry keeps no approvals.
    """
    day = timedelta(days=1)
    around = grid_of(grid.zone, grid.first - day, grid.last + day, grid.interval_s)
    start, end = int(around.edge_s[0]), int(around.edge_s[-1])
    since = local_midnight(grid.first - timedelta(days=LOOK_BACK_DAYS), grid.zone)
    several = _with_several(installed)
    mine = [
        one
        for one in installed
        if one.installation.service_point_id not in several
        and one.installation.service_point_id not in careful
        and _is_plain(one, grid.interval_s, start, end)
    ]
    meter = uuid_column([i.meter.id for i in mine])
    order = sorted_ids(meter).tolist()
    mine = [mine[k] for k in order]

    def column(values: list[int]) -> I64:
        return np.array(values, dtype=np.int64)

    return Roster(
        meter=uuid_column([i.meter.id for i in mine]),
        point=uuid_column([i.installation.service_point_id for i in mine]),
        channels=np.array([sum(1 << int(c) for c in i.meter.channels) for i in mine], dtype=np.uint32),
        capacity=column([i.meter.capacity_wh or 0 for i in mine]),
        resolution=column([i.meter.resolution_wh for i in mine]),
        multiplier=column([i.installation.multiplier for i in mine]),
        limit_w=column([i.meter.max_power_w for i in mine]),
        may_feed_in=np.array(
            [feeding_in is None or i.installation.service_point_id in feeding_in for i in mine], dtype=bool
        ),
        is_long=np.array([i.installation.start <= since for i in mine], dtype=bool),
    )


def _is_plain(one: InstalledMeter, interval_s: int, start: int, end: int) -> bool:
    i, meter = one.installation, one.meter
    whole = epoch_s(i.start) < start and (i.end is None or epoch_s(i.end) > end)
    return whole and not i.steps and not meter.registers and not meter.is_virtual and meter.interval_s == interval_s


def _with_several(installed: Sequence[InstalledMeter]) -> set[UUID]:
    """Return the service points at which more than one installation touches the days."""
    seen: set[UUID] = set()
    several: set[UUID] = set()
    for one in installed:
        point = one.installation.service_point_id
        (several if point in seen else seen).add(point)
    return several
