"""Profiles of many meters as rings of columns: one place holds one instant of all meters.

Filling an instant writes one contiguous stretch; reading one meter strides through. The arrays may lie in a mapped
file, so that profiles survive the process. A place is written again where the same instant comes twice, and the
oldest makes room for a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import MisuseError
from openami.meter.objects.profile import Table

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
INTERVAL_ROW = np.dtype(
    [("here", "u1"), ("status", "u1"), ("voltage_dv", "<u2"), ("delivered_wh", "<u4"), ("received_wh", "<u4")]
)
"""Twelve octets: 5,760 of them are 69 kB a meter."""
REGISTER_ROW = np.dtype([("here", "u1"), ("delivered_wh", "<u4"), ("received_wh", "<u4")])
_HUNDREDTHS_PER_S = 100


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Rows of m meters at p instants.

    Args:
        at_s: (p,) int64 instant of each place, seconds since the epoch; 0 where none was kept.
        rows: (p, m) of a row type whose field ``here`` tells whether the meter has a row.

    Raises:
        MisuseError: shapes that do not fit.
    """

    at_s: I64
    rows: npt.NDArray[np.void]

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.at_s.shape != self.rows.shape[:1] or "here" not in (self.rows.dtype.names or ()):
            raise MisuseError("a ring has one instant for each place of its rows")

    def keep(self, at_s: int, here: Flags, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the rows of one instant; one that is older than all in a full ring is let go.

        Args:
            at_s: when, seconds since the epoch.
            here: (m,) which meters have a row.
            columns: (m,) values of every other field.
        """
        known = np.flatnonzero(self.at_s == at_s)
        place = int(known[0]) if len(known) else int(np.argmin(self.at_s))
        if at_s < self.at_s[place]:
            return
        # Until all columns are there the place holds nothing: a kill in between leaves no half row.
        self.at_s[place] = 0
        row = self.rows[place]
        for name, values in columns.items():
            row[name] = values
        row["here"] = here
        self.at_s[place] = at_s

    def table(self, meter: int, columns: tuple[str, ...]) -> Table:
        """Return one meter's rows sorted by clock, as these columns."""
        mine = self.rows[:, meter]
        places = np.flatnonzero((self.at_s > 0) & (mine["here"] != 0))
        places = places[np.argsort(self.at_s[places], kind="stable")]
        at_cs = np.asarray(self.at_s[places], dtype=np.int64) * _HUNDREDTHS_PER_S
        return Table(at_cs, tuple(mine[name][places].astype(np.int64) for name in columns))

    @property
    def newest_s(self) -> int:
        """The newest instant kept; 0 where none was."""
        return int(self.at_s.max(initial=0))


def ring_in_memory(row: np.dtype[np.void], *, places: int, meters: int) -> Ring:
    """Return an empty ring that ends with the process."""
    return Ring(np.zeros(places, np.int64), np.zeros((places, meters), row))
