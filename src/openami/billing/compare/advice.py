"""Which rate to be on: the present one, unless another saves more than noise in every year that the data allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openami.billing.compare.coverage import Coverage
from openami.billing.compare.outcome import RateOutcome, YearRange
from openami.billing.compare.setting import Setting
from openami.billing.compare.unseen import Unseen, seasons_unseen
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.money import rounded_to_cent


class AdviceKind(StrEnum):
    """What is advised. CHEAPEST is said where the present rate is not known; NONE where nothing can be said."""

    STAY = "stay"
    CHANGE = "change"
    CHEAPEST = "cheapest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Advice:
    """Which rate to be on.

    Args:
        schedule: the advised rate; None where nothing can be said.
        saving: against the present rate (or against the dearest where none is named) over the days compared.
        reason: in words.
        kind: what is advised.
        noise: a saving below this amount over the days compared is noise.
        year: between what and what the best other rate would save in a year; None where it cannot be told.
    """

    schedule: RateSchedule | None
    saving: Decimal
    reason: str
    kind: AdviceKind = AdviceKind.NONE
    noise: Decimal = Decimal(0)
    year: YearRange | None = None


def advice_on(
    outcomes: Sequence[RateOutcome], coverage: Coverage, unseen: Unseen, setting: Setting, present: str | None
) -> Advice:
    """Return the advice.

    Args:
        outcomes: priced on the days used; refused ones are passed over.
        coverage: of the days; nothing is advised where no bill's days are covered.
        unseen: the months of the year that were not seen.
        setting: what is noise.
        present: code of the rate that the customer is on, or None.
    """
    choices = sorted((o for o in outcomes if o.is_open), key=lambda o: (o.total, o.schedule.code))
    now = next((o for o in outcomes if o.schedule.code == present and not o.refused), None)
    if not coverage.used:
        share = f"{coverage.share:.1%}"
        reason = f"only {share} of the intervals are there; {setting.min_coverage:.0%} of a month are needed to advise"
        return Advice(None, Decimal(0), reason)
    if not choices:
        return Advice(None, Decimal(0), "no rate can price these intervals")
    days = sum(s.days for s in coverage.used)
    if now is None:
        saving = choices[-1].total - choices[0].total
        words = f"cheapest of {len(choices)} on these intervals, {saving} below the dearest{_season(unseen, days)}"
        return Advice(choices[0].schedule, saving, words, AdviceKind.CHEAPEST)
    return _against(now, [o for o in choices if o is not now], coverage, unseen, setting)


def _against(
    now: RateOutcome, others: list[RateOutcome], coverage: Coverage, unseen: Unseen, setting: Setting
) -> Advice:
    days = sum(s.days for s in coverage.used)
    season = _season(unseen, days)
    noise = rounded_to_cent(setting.noise(now.total, days))
    ranges = [(unseen.saving(now, o), o) for o in others]
    if not others:
        return Advice(now.schedule, Decimal(0), f"stay: there is no other rate to choose{season}", AdviceKind.STAY)
    year, best = max(ranges, key=lambda r: (r[0].low if r[0] else Decimal("-Infinity"), r[1].schedule.code))
    saving = now.total - best.total
    if saving <= 0 and (year is None or year.high <= 0):
        words = f"stay: no other rate is cheaper on these intervals{season}"
        return Advice(now.schedule, Decimal(0), words, AdviceKind.STAY, noise, year)
    if saving < noise and (year is None or year.is_known):
        words = f"stay: the best other rate saves {saving}, within noise{season}"
        return Advice(now.schedule, Decimal(0), words, AdviceKind.STAY, noise, year)
    unknown = _unknown_seasons(best, coverage, unseen)
    if unknown:
        words = f"stay for now: no day of {best.schedule.name}'s {unknown} is among the {days} days"
        return Advice(now.schedule, Decimal(0), words, AdviceKind.STAY, noise, year)
    if unseen.months and (year is None or year.low < setting.noise(now.total * 365 / days, 365)):
        span = "" if year is None else f": over a year between {year.low} and {year.high}"
        words = f"stay for now: what {best.schedule.name} saves cannot be told from {days} days{span}"
        return Advice(now.schedule, Decimal(0), words, AdviceKind.STAY, noise, year)
    words = f"saves {saving} over {days} days on the same intervals{season}"
    return Advice(best.schedule, saving, words, AdviceKind.CHANGE, noise, year)


def _unknown_seasons(other: RateOutcome, coverage: Coverage, unseen: Unseen) -> str:
    try:
        return " and ".join(seasons_unseen(other.schedule, coverage.used, unseen.months))
    except TariffError:
        return "season"


def _season(unseen: Unseen, days: int) -> str:
    return f"; {days} days do not hold every season, so a year may differ" if unseen.months else ""
