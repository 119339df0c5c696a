"""Determinants of many service points in columns, and one point's as the scalar engine has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.fleet.index import FleetIndex
from openami.billing.rating.fleet.number import Numbers
from openami.billing.rating.fleet.peak import PeakColumns
from openami.billing.rating.usage import I64


@dataclass(frozen=True, slots=True, eq=False)
class FleetDeterminants:
    """What the bills of n service points are computed from.

    Args:
        index: the grid's.
        wh: (n, k) int64 energy by the index's groups.
        blocks: by (bill, version, price period, block), (n,) energy, where blocks fill in order of time.
        peaks: of each demand charge in each bill.
        received_wh: (n, bills).
        intervals: (n, bills) how many were there.
        estimated: (n, bills) how many of them were estimated.
        estimated_wh: (n, bills).
        pieces: energy by (bill, first day of the part), where riders change inside the bill.
        signals: by (bill, version, price period) that follows a series, energy times price: integers over a divisor.
    """

    index: FleetIndex
    wh: I64
    blocks: Mapping[tuple[int, int, int, int], I64]
    peaks: tuple[PeakColumns, ...]
    received_wh: I64
    intervals: I64
    estimated: I64
    estimated_wh: I64
    pieces: Mapping[tuple[int, date], I64]
    signals: Mapping[tuple[int, int, int], tuple[Numbers, int]]

    @property
    def bill(self) -> I64:
        """Bill of each column of ``wh``."""
        return self.index.bill

    @property
    def key(self) -> I64:
        """Price key of each column of ``wh``."""
        return self.index.key

    def energy(self, bill: int, version: int, period: int) -> I64:
        """Return the energy of one price period in a bill: (n,); zero where no interval has it."""
        where = np.flatnonzero((self.bill == bill) & (self.key == version * KEY_STRIDE + period))
        return self.wh[:, where[0]] if len(where) else np.zeros(len(self.wh), np.int64)

    def usage_wh(self, bill: int) -> I64:
        """Return all delivered energy of a bill: (n,)."""
        return np.asarray(self.wh[:, self.bill == bill].sum(axis=1), np.int64)

    def of_row(self, row: int, bill: int) -> Determinants:
        """Return one service point's determinants of one bill."""
        columns = np.flatnonzero(self.bill == bill)
        demand = [one for one in self.peaks if one.index.bill == bill]
        sums = self.wh[row, columns].tolist()
        keys = [divmod(int(k), KEY_STRIDE) for k in self.key[columns]]
        return Determinants(
            span=self.index.parts[bill].span,
            usage_wh=sum(sums),
            energy_wh=dict(zip(keys, sums, strict=True)),
            blocks_wh={key[1:]: int(part[row]) for key, part in self.blocks.items() if key[0] == bill},
            peaks={key: peak for one in demand for key, peak in one.of_row(row).items()},
            received_wh=int(self.received_wh[row, bill]),
            intervals=int(self.intervals[row, bill]),
            expected=self.index.parts[bill].expected,
            estimated=int(self.estimated[row, bill]),
            estimated_wh=int(self.estimated_wh[row, bill]),
            windows={key: count for one in demand for key, count in one.index.counts.items()},
            left_out=tuple(sorted(out for one in demand for out in one.left_out(row))),
            piece_wh={day: int(wh[row]) for (number, day), wh in self.pieces.items() if number == bill},
            signal_amounts={
                key[1:]: Fraction(int(amount[row]), divisor)
                for key, (amount, divisor) in self.signals.items()
                if key[0] == bill
            },
        )
