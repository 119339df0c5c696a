"""Over all rates of a comparison: what each is priced on, and what would have to be true of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from openami.billing.compare.advice import AdviceKind
from openami.billing.compare.assumption import Assumption, assumed
from openami.billing.compare.breakeven import BreakEven, break_evens
from openami.billing.compare.comparison import Comparison
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule


def assumed_by_rate(
    schedules: Sequence[RateSchedule],
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    assumptions: Sequence[Assumption],
) -> dict[str, Usage]:
    """Return by rate code what it is priced on: a habit is by each rate's own hours."""
    found: dict[str, Usage] = {}
    for schedule in schedules:
        try:
            found[schedule.code] = assumed(schedule, usage, spans, zone, assumptions)
        except TariffError:
            # The rate refuses these intervals; the comparison lists it with its clause.
            found[schedule.code] = usage
    return found


def solved(found: Comparison, present: str | None, usage: Mapping[str, Usage], zone: ZoneInfo) -> list[BreakEven]:
    """Return what would have to be true for each rate that could be chosen; none where nothing can be said.

    Args:
        found: the comparison.
        present: code of the rate that the customer is on.
        usage: what was priced, by rate code.
        zone: of the service point.
    """
    now = found.of(present)
    if now is None or now.refused or found.advice.kind is AdviceKind.NONE:
        return []
    rows: list[BreakEven] = []
    for other in found.outcomes:
        if other is not now and other.is_open:
            own = usage[other.schedule.code]
            rows += break_evens(now.schedule, other.schedule, own, found.spans, zone, setting=found.setting)
    return rows
