"""A series' values with their codes, one at a time, by start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from openami.contracts.quality import Method, QualityState
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.quality_codes import QualityCodes, codes_of
from openami.mdm.usage.series import IntervalSeries


@dataclass(frozen=True, slots=True)
class CodedValue:
    """One interval.

    Args:
        start: its start, UTC.
        value: counts of the channel.
        state, method: our own words.
        codes: everyone else's.
        low, high: uncertainty band [counts].
        is_raw: validation has not seen it.
    """

    start: datetime
    value: int
    state: QualityState
    method: Method
    codes: QualityCodes
    low: int
    high: int
    is_raw: bool


def coded_values(series: IntervalSeries, *, is_released: bool = False) -> Iterator[CodedValue]:
    """Yield each interval with its codes.

    Args:
        series: of one channel.
        is_released: a bill stands on these values.
    """
    columns = (series.start_s, series.value, series.quality, series.method, series.low, series.high)
    rows = zip(*(c.tolist() for c in columns), series.preliminary.tolist(), strict=True)
    for start, value, quality, how, low, high, is_raw in rows:
        state, method = QualityState(quality), Method(how)
        codes = codes_of(state, method, is_raw=is_raw, is_released=is_released)
        yield CodedValue(instant_from_epoch_s(start), value, state, method, codes, low, high, is_raw)
