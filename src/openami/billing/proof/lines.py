"""Prove the lines of a bill from interval energy: pure, and by the same calendar that priced them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.document import plain
from openami.billing.proof.clause import clause_of
from openami.billing.proof.record import DayShare, LineProof, WindowProof
from openami.billing.rating.calendar import KEY_STRIDE, local_times, price_keys
from openami.billing.rating.demand import window_minutes
from openami.billing.rating.demand_finding import left_out_of
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule
from openami.kernel.money import rounded_to_cent
from openami.kernel.time import instant_from_epoch_s

_EPOCH_ORDINAL = 719_163
Mask = npt.NDArray[np.bool_]
_MOST_PARTS = 366 * 12
"""A share of a year's days and months has no larger denominator."""
_LAST_DIGIT = Fraction(1, 10**20)


@dataclass(frozen=True, slots=True, eq=False)
class Priced:
    """The intervals of one bill with the price key of each; columns of one length n.

    Args:
        usage: the bill's intervals alone.
        keys: (n,) ``version * KEY_STRIDE + period``.
        day: (n,) local day, as a proleptic ordinal.
        zone: of the days.
        span: the bill's days.
    """

    usage: Usage
    keys: I64
    day: I64
    zone: ZoneInfo
    span: BillSpan

    @property
    def flags(self) -> Mask:
        """(n,) which are estimated."""
        given = self.usage.estimated
        return np.zeros(len(self.keys), np.bool_) if given is None else given


def priced(schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, terms: BillTerms = NO_TERMS) -> Priced:
    """Return a bill's intervals with their prices.

    Raises:
        TariffError: as the bill's own determinants would.
    """
    bills, keys = price_keys(schedule, usage.start_s, usage.interval_s, [span], zone, terms)
    rows = np.flatnonzero(bills == 0)
    estimated = None if usage.estimated is None else usage.estimated[rows]
    received = None if usage.received_wh is None else usage.received_wh[rows]
    own = Usage(usage.start_s[rows], usage.wh[rows], usage.interval_s, estimated, received)
    return Priced(own, keys[rows], local_times(own.start_s, zone).day + _EPOCH_ORDINAL, zone, span)


def prove_lines(
    schedule: RateSchedule, lines: Sequence[BillLine], found: Determinants, intervals: Priced
) -> tuple[LineProof, ...]:
    """Return the proof of each line, in the order of the bill.

    Args:
        schedule: the rate.
        lines: the bill's.
        found: its determinants.
        intervals: what they were taken from.
    """
    return tuple(_line(schedule, n, line, lines, found, intervals) for n, line in enumerate(lines, start=1))


def _line(
    schedule: RateSchedule,
    number: int,
    line: BillLine,
    lines: Sequence[BillLine],
    found: Determinants,
    intervals: Priced,
) -> LineProof:
    metered: int | None = None
    days: tuple[DayShare, ...] = ()
    window: WindowProof | None = None
    note = ""
    if line.kind is LineKind.ENERGY and line.period is not None:
        rows = _rows_of(schedule, line, intervals)
        metered, days = int(intervals.usage.wh[rows].sum()), _shares(intervals, rows)
        note = _energy_note(line, lines, metered)
    elif line.kind is LineKind.DEMAND:
        window, note = _window(schedule, line, found, intervals)
        note = "; ".join(filter(None, (note, _left_out_note(schedule, line, found, intervals.zone))))
    elif line.kind is LineKind.CREDIT and line.unit == "kWh":
        metered, days, note = _sent_out(schedule, line, intervals)
    elif line.unit == "kWh":
        everything = np.ones(len(intervals.keys), np.bool_)
        metered, days = int(intervals.usage.wh.sum()), _shares(intervals, everything)
        note = "" if line.quantity * 1000 == metered else f"charged on {plain(line.quantity)} kWh of the metered energy"
    clause = clause_of(schedule, line.clause, line.version)
    return LineProof(number, line.name, formula(line, intervals.span.days), clause, metered, days, window, note)


def formula(line: BillLine, bill_days: int) -> str:
    """Return a line's arithmetic: every factor, the exact product, the one rounding.

    >>> formula(BillLine(LineKind.ENERGY, "", None, None, Decimal("32.307"), "kWh", Decimal("0.4051"),
    ...         Decimal("13.0875657")), 30)
    '32.307 kWh x 0.4051 = 13.0875657, rounded once to 13.09'
    """
    exact = plain(line.exact_amount)
    end = f" = {exact}, rounded once to {rounded_to_cent(line.exact_amount)}"
    whole, words = _product(line)
    # A credit is given as a positive value, and taken off.
    less = "less " if whole * Fraction(line.exact_amount) < 0 else ""
    share = _share(whole if not less else -whole, line, bill_days)
    if share is None:
        return f"{plain(line.quantity)} {line.unit} at {plain(line.price)} on average{end}"
    if line.unit == "month" and share:
        words = plain(line.price)
    return f"{less}{words}{share}{end}"


def _product(line: BillLine) -> tuple[Fraction, str]:
    """Return quantity times price, and the same in words."""
    quantity, price = Fraction(line.quantity), Fraction(line.price)
    if line.unit == "percent":
        return quantity * price / 100, f"{plain(line.price)} % of {plain(line.quantity)}"
    words = f"{plain(line.quantity)} {line.unit} x {plain(line.price)}"
    # Months are printed as a decimal; what is exact is the share of days or months that the price is taken for.
    return (price if line.unit == "month" else quantity * price), words


def _share(whole: Fraction, line: BillLine, bill_days: int) -> str | None:
    """Return the factor between quantity times price and the exact amount; None where no such factor gives it.

    It is the days that a line stands for, or the months that a rule makes of them. A price that follows a series is
    printed as a mean: its product gives the amount only nearly, and no factor may hide that.
    """
    exact = Fraction(line.exact_amount)
    if line.days is not None and _is_near(whole * Fraction(line.days, bill_days), exact):
        return f" x {line.days} of {bill_days} days"
    if _is_near(whole, exact):
        return ""
    if whole == 0:
        return None
    share = (exact / whole).limit_denominator(_MOST_PARTS)
    if not _is_near(whole * share, exact):
        return None
    days = share * bill_days
    return f" x {days} of {bill_days} days" if days.denominator == 1 else f" x {share}"


def _is_near(worked: Fraction, exact: Fraction) -> bool:
    """Tell whether two amounts are one but for the last digit of a decimal that has no end."""
    return abs(worked - exact) <= max(abs(exact), Fraction(1)) * _LAST_DIGIT


def _rows_of(schedule: RateSchedule, line: BillLine, intervals: Priced) -> Mask:
    periods = schedule.versions[line.version].periods
    keys = [line.version * KEY_STRIDE + i for i, p in enumerate(periods) if p.name == line.period]
    return np.isin(intervals.keys, np.array(keys, np.int64))


def _sent_out(
    schedule: RateSchedule, line: BillLine, intervals: Priced
) -> tuple[int | None, tuple[DayShare, ...], str]:
    """Return the received energy behind a line of energy sent out; a line of the credit bank has none of its own."""
    received = intervals.usage.received_wh
    if line.clause.endswith(".export.credit"):
        return None, (), "a credit of an earlier bill: what that bill carried holds it"
    if received is None:
        return None, (), "received energy is at hand as one sum, not by interval"
    priced_apart = ".export.prices[" in line.clause and line.period is not None
    rows = _rows_of(schedule, line, intervals) if priced_apart else np.ones(len(intervals.keys), np.bool_)
    metered = int(received[rows].sum())
    whole = line.quantity * 1000 == metered
    return metered, _shares(intervals, rows, received), "" if whole else f"{plain(line.quantity)} kWh of what came in"


def _shares(intervals: Priced, rows: Mask, energy_wh: I64 | None = None) -> tuple[DayShare, ...]:
    """Return delivered energy by day, or that of another column of the intervals."""
    days, flags = intervals.day[rows], intervals.flags[rows]
    wh = (intervals.usage.wh if energy_wh is None else energy_wh)[rows]
    first = intervals.span.first.toordinal()
    shares = []
    for ordinal in np.unique(days).tolist():
        mine = days == ordinal
        day = intervals.span.first + timedelta(days=ordinal - first)
        shares.append(DayShare(day, int(wh[mine].sum()), int(mine.sum()), int(flags[mine].sum())))
    return tuple(shares)


def _energy_note(line: BillLine, lines: Sequence[BillLine], metered: int) -> str:
    """Say how the lines of one price share what was metered at it, and what rounding or netting left."""
    same = [x for x in lines if x.kind is LineKind.ENERGY and (x.version, x.period) == (line.version, line.period)]
    billed = sum((x.quantity for x in same), Decimal(0)) * 1000
    notes = []
    if len(same) > 1 or line.tier is not None:
        notes.append(f"block {line.tier or 1} takes {plain(line.quantity)} of the {plain(billed / 1000)} kWh billed")
    if billed != metered:
        notes.append(
            f"{plain(billed / 1000)} kWh are billed of {plain(Decimal(metered) / 1000)} kWh metered: the rate nets "
            "energy sent out, or rounds energy"
        )
    return "; ".join(notes)


def _window(
    schedule: RateSchedule, line: BillLine, found: Determinants, intervals: Priced
) -> tuple[WindowProof | None, str]:
    charges = schedule.versions[line.version].demand
    for (version, charge, period), peak in found.peaks.items():
        if version != line.version:
            continue
        priced_by = charges[charge]
        if f".demand[{priced_by.name}].periods[{priced_by.periods[period].name}]" not in line.clause:
            continue
        minutes = window_minutes(schedule, charge, version, intervals.usage.interval_s)
        start = intervals.usage.start_s
        rows = (start >= peak.start_s) & (start < peak.start_s + minutes * 60)
        window = WindowProof(_at(peak.start_s), peak.watts, tuple(intervals.usage.wh[rows].tolist()))
        billed = line.quantity * 1000
        note = ""
        if billed != peak.watts:
            note = f"{plain(line.quantity)} kW are billed: a block, a ratchet, a least demand or a step; see the clause"
        return window, note
    return None, "no window of this bill set it"


def _left_out_note(schedule: RateSchedule, line: BillLine, found: Determinants, zone: ZoneInfo) -> str:
    """List the windows that set no peak, in local time."""
    count, rows = left_out_of(schedule, found, line.clause)
    if not rows:
        return ""
    times = ", ".join(
        f"{_at(r.start_s).astimezone(zone):%Y-%m-%d %H:%M} to {_at(r.end_s).astimezone(zone):%Y-%m-%d %H:%M} "
        f"({'estimated' if r.is_estimated else 'missing'})"
        for r in rows
    )
    return f"{sum(r.windows for r in rows)} of {count} windows lack actual intervals and set no peak: {times}"


def _at(second: int) -> datetime:
    return instant_from_epoch_s(second)
