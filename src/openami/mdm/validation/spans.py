"""Which raw rows belong to whom: installations cut to a period. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from openami.kernel.time import Period
from openami.mdm.ports import MeterSpan
from openami.mdm.registry.records import InstalledMeter


def spans_of(installed: Sequence[InstalledMeter], period: Period) -> list[MeterSpan]:
    """Return the installations cut to the period."""
    spans = []
    for one in installed:
        i = one.installation
        start, end = max(i.start, period.start), min(i.end or period.end, period.end)
        if start < end:
            spans.append(MeterSpan(i.service_point_id, i.meter_id, Period(start, end)))
    return spans
