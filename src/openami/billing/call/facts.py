"""What an answer is made from: two bills, their intervals, and what else a caller asks about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from openami.billing.bill.record import Bill
from openami.billing.call.weather import WeatherFacts
from openami.billing.rating.usage import I64


@dataclass(frozen=True, slots=True, eq=False)
class Hourly:
    """Energy of whole local days by hour of the wall clock.

    Args:
        wh: (days, 24) energy [Wh]; the hour that comes twice holds both, the one that is missing holds none.
        estimated_wh: (days, 24), the estimated part.
    """

    wh: I64
    estimated_wh: I64

    @property
    def days(self) -> int:
        """How many days."""
        return len(self.wh)

    @property
    def by_hour(self) -> npt.NDArray[np.float64]:
        """(24,) mean of each hour."""
        return self.wh.mean(axis=0) if len(self.wh) else np.zeros(24)


@dataclass(frozen=True, slots=True)
class CallFacts:
    """Two bills and what stands around them.

    Args:
        bill: the one that is asked about, with lines.
        before: the one that it is compared with, with lines; None where there is none.
        is_year_before: whether that one is of the same days a year before, rather than the last.
        now, then: their intervals; None where they are not at hand.
        meter_since: when the present meter was hung; None where that is not known.
        serial: of the present meter.
        findings: rules of open findings in the bill's days, each once.
        weather: temperatures of the place; None where no station speaks for it.
    """

    bill: Bill
    before: Bill | None
    is_year_before: bool
    now: Hourly | None
    then: Hourly | None
    meter_since: datetime | None = None
    serial: str = ""
    findings: tuple[str, ...] = ()
    weather: WeatherFacts | None = None
