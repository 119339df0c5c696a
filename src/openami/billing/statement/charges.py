"""The lines of a statement, by kind, and what each price period cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from openami.billing.bill.record import Bill, KeptLine
from openami.billing.rating.calendar import day_rates
from openami.billing.rating.line import LineKind
from openami.billing.rating.pool import season_days
from openami.billing.statement.dates import counted, kwh
from openami.billing.statement.prices import amount, number, unit_price
from openami.billing.statement.record import LineGroup, PeriodRow, StatementLine
from openami.billing.statement.words import PriceWords, RateWords, rate_words
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

_TITLES = {
    LineKind.ENERGY: "Electricity",
    LineKind.DEMAND: "Demand",
    LineKind.FIXED: "Charges that do not depend on use",
    LineKind.RIDER: "Riders",
    LineKind.CREDIT: "Credits",
    LineKind.MINIMUM: "Minimum charge",
    LineKind.TAX: "Taxes",
}
_OTHER = "Other"
_CHARGED_PER_UNIT = {"kWh", "kW", "day"}


def groups_of(bill: Bill) -> tuple[LineGroup, ...]:
    """Return a bill's lines by kind, in the order in which a bill is added up."""
    by_title: dict[str, list[KeptLine]] = {title: [] for title in _TITLES.values()}
    for line in bill.lines:
        by_title.setdefault(_title(line), []).append(line)
    return tuple(
        LineGroup(
            title,
            tuple(_line(x, bill) for x in lines),
            amount(sum((x.amount for x in lines), Decimal(0)), bill.currency),
        )
        for title, lines in by_title.items()
        if lines
    )


def _title(line: KeptLine) -> str:
    known = {k.value for k in LineKind}
    return _TITLES.get(LineKind(line.kind), _OTHER) if line.kind in known else _OTHER


def _line(line: KeptLine, bill: Bill) -> StatementLine:
    quantity = f"{number(line.quantity, 3 if line.unit == 'kWh' else 0)} {line.unit}"
    price = unit_price(line.price, bill.currency) if line.unit in _CHARGED_PER_UNIT else ""
    if line.unit == "percent":
        quantity, price = amount(line.quantity, bill.currency), f"{number(line.price)} %"
    if line.unit == "month":
        # A charge of a month that is not exactly one says how much of one.
        quantity = "" if line.quantity == 1 else f"{number(line.quantity.quantize(Decimal('0.0001')))} month"
        price = amount(line.price, bill.currency)
    if line.unit == bill.currency:
        quantity, price = "", ""
    if line.kind == LineKind.CREDIT and line.price == 0:
        price = ""
    days = line.evidence.get("days")
    note = f"for {days} of {bill.span.days} days" if isinstance(days, int) and line.unit != "day" else ""
    without = line.evidence.get("left_out_windows")
    if without:
        windows = f"{without} of {line.evidence.get('windows')} measuring times lack an actual reading and set no peak"
        note = f"{note}; {windows}" if note else windows
    return StatementLine(line.name, quantity, price, amount(line.amount, bill.currency), note)


def words_in_force(bill: Bill, schedule: RateSchedule | None) -> list[RateWords]:
    """Return the rules of every version that prices a day of the bill, cut to the seasons of its days."""
    if schedule is None:
        return []
    try:
        seasons = season_days(schedule, day_rates(schedule, bill.span, bill.terms))
    except TariffError:
        return []
    found = []
    for version, days_of in seasons.items():
        words = rate_words(
            schedule.versions[version],
            schedule.currency,
            seasons=frozenset(days_of),
            on=bill.span.last,
            municipality=bill.terms.municipality_on(bill.span.last),
        )
        found.append(words)
    return found


def periods_of(bill: Bill, words: Sequence[RateWords]) -> tuple[PeriodRow, ...]:
    """Return what each price period of the bill cost; prices that changed within the bill are both named."""
    rules: dict[str, list[PriceWords]] = {}
    for version in words:
        for rule in version.energy:
            rules.setdefault(rule.name, []).append(rule)
    energy: dict[str, Decimal] = dict.fromkeys(rules, Decimal(0))
    cost: dict[str, Decimal] = dict.fromkeys(rules, Decimal(0))
    for line in bill.lines:
        if line.kind == LineKind.ENERGY and line.period is not None:
            energy[line.period] = energy.get(line.period, Decimal(0)) + line.quantity
            cost[line.period] = cost.get(line.period, Decimal(0)) + line.amount
    total = sum(energy.values(), Decimal(0))
    return tuple(
        PeriodRow(
            name=name,
            when="; then ".join(dict.fromkeys(r.when for r in rules.get(name, ()))),
            price="; then ".join(dict.fromkeys(r.price for r in rules.get(name, ()))) or _paid(cost[name], used, bill),
            energy=kwh(int(used * 1000)),
            share=f"{used / total:.0%}".replace("%", " %") if total else "",
            cost=amount(cost[name], bill.currency),
            paid="" if _is_one_price(rules.get(name, ())) else _paid(cost[name], used, bill),
        )
        for name, used in energy.items()
    )


def _is_one_price(rules: Sequence[PriceWords]) -> bool:
    """Tell whether the price in words already is what was paid for each kWh."""
    return len({r.price for r in rules}) == 1 and " up to " not in rules[0].price


def _paid(cost: Decimal, used_kwh: Decimal, bill: Bill) -> str:
    if not used_kwh:
        return ""
    return f"{unit_price((cost / used_kwh).quantize(Decimal('0.0001')), bill.currency)} per kWh"


def demand_words(words: Sequence[RateWords]) -> tuple[str, ...]:
    """Return the demand prices in force, each a sentence."""
    return tuple(dict.fromkeys(f"{rule.sentence}." for version in words for rule in version.demand))


def dated_rules(words: Sequence[RateWords]) -> tuple[str, ...]:
    """Return riders, credits and taxes of the rate, each a line."""
    return tuple(dict.fromkeys(line for version in words for line in version.dated))


def rules_of(bill: Bill, words: Sequence[RateWords]) -> tuple[str, ...]:
    """Return how the rate means its prices; of energy sent out, only to whoever sends some."""
    notes = [n for version in words for n in version.notes]
    if bill.received_wh:
        notes += [n for version in words for n in version.export]
    return tuple(dict.fromkeys(notes))


def estimated_words(bill: Bill) -> str:
    """Say how much of a bill was estimated; empty where nothing was."""
    evidence = bill.lines[0].evidence if bill.lines else {}
    wh = bill.estimated_wh or 0
    count = evidence.get("estimated_intervals")
    if not wh and not count:
        return ""
    intervals = f" ({counted(count, 'interval')})" if isinstance(count, int) and count else ""
    return f"{kwh(wh)} of {kwh(bill.usage_wh or 0)}{intervals} are estimated"
