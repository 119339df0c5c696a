"""Laws of the rate sheet: nothing is billed twice or lost, a version cut in two bills the same, no file surprises."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.billing.test_rating_laws import tariffs
from tests.unit.billing.test_rate_files import WHOLE

from openami.billing.rating import BillSpan, Carried, LineKind, RatedBill, Usage, determinants, rate
from openami.billing.rating.months import months_of
from openami.billing.rating.whole import whole_kwh
from openami.billing.tariff import RateSchedule, Tariff, TariffError, parse_rate
from openami.billing.tariff.charge import DatedValue, Rider, RiderUnit, ValueChange
from openami.billing.tariff.load import parse_document
from openami.billing.tariff.native_write import rate_document
from openami.billing.tariff.price import BlockScope
from openami.billing.tariff.proration import Proration, ProrationRule
from openami.billing.tariff.rounding import EnergyRounding, Rounding

ZONE = ZoneInfo("America/Chicago")
FIRST = date(2026, 10, 30)
WHOLE_DOCUMENT: dict[str, Any] = json.loads(json.dumps(parse_document(WHOLE.encode()), default=str))


def _usage(seed: int, days: int) -> Usage:
    dice = np.random.default_rng(seed)
    start = int(datetime(2026, 10, 30, 5, tzinfo=UTC).timestamp())
    starts = start + np.arange(days * 96 + 4, dtype=np.int64) * 900
    return Usage(starts, (dice.integers(0, 2500, len(starts)) * (dice.random(len(starts)) < 0.8)).astype(np.int64), 900)


def _schedule(*versions: Tariff) -> RateSchedule:
    return RateSchedule("x", "X", "", "USD", versions)


def _kwh(bill: RatedBill) -> Decimal:
    return sum((line.quantity for line in bill.lines if line.kind is LineKind.ENERGY), Decimal(0))


@settings(max_examples=15, deadline=None)
@given(tariffs(), st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_whole_kilowatt_hours_of_a_chain_of_bills_lose_nothing(tariff: Tariff, seed: int, lengths: list[int]) -> None:
    schedule = _schedule(replace(tariff, rounding=Rounding(energy=EnergyRounding.WHOLE_KWH)))
    usage = _usage(seed, sum(lengths))
    carried, first, billed, metered = Carried(), FIRST, Decimal(0), 0
    for days in lengths:
        span = BillSpan(first, first + timedelta(days=days))
        bill = rate(schedule, determinants(schedule, usage, [span], ZONE)[0], carried=carried)
        periods: dict[tuple[int, str | None], Decimal] = {}
        for line in bill.lines:
            if line.kind is LineKind.ENERGY:
                key = line.version, line.period
                periods[key] = periods.get(key, Decimal(0)) + line.quantity
        assert all(kwh == int(kwh) for kwh in periods.values())
        billed, metered = billed + _kwh(bill), metered + bill.determinants.usage_wh
        carried, first = bill.carried, span.end
        assert 0 <= carried.remainder_wh < 1000
    assert billed * 1000 + carried.remainder_wh == metered


@given(st.lists(st.integers(0, 10**7), max_size=12), st.integers(0, 999))
def test_no_part_of_whole_kilowatt_hours_is_a_kilowatt_hour_off(parts: list[int], remainder: int) -> None:
    cells = {(0, n, -1): wh for n, wh in enumerate(parts)}
    billed, left = whole_kwh(cells, remainder)
    assert sum(billed.values()) + left == sum(parts) + remainder
    assert 0 <= left < 1000
    assert all(abs(billed[k] - wh) < 1000 for k, wh in cells.items())


@settings(max_examples=20, deadline=None)
@given(
    tariffs(), st.integers(0, 2**32), st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(sorted),
    st.sampled_from(list(ValueChange)), st.booleans(),
)  # fmt: skip
def test_a_rider_charges_the_energy_billed_once_however_often_it_changes(
    tariff: Tariff, seed: int, days: list[int], change: ValueChange, whole: bool
) -> None:
    values = [DatedValue(Decimal("0.01")), *(DatedValue(Decimal(n), FIRST + timedelta(days=n)) for n in days)]
    rounding = Rounding(energy=EnergyRounding.WHOLE_KWH if whole else EnergyRounding.WH_EXACT)
    rider = Rider("R", "R", RiderUnit.KWH, tuple(values), change=change)
    schedule = _schedule(replace(tariff, riders=(rider,), rounding=rounding))
    span = BillSpan(FIRST, FIRST + timedelta(days=7))
    bill = rate(schedule, determinants(schedule, _usage(seed, 7), [span], ZONE)[0])
    lines = [line for line in bill.lines if line.kind is LineKind.RIDER]
    assert sum(line.quantity for line in lines) == _kwh(bill)
    assert sum(line.days or 7 for line in lines) == 7
    assert all(line.quantity >= 0 for line in lines)


@settings(max_examples=20, deadline=None)
@given(tariffs(), st.integers(0, 2**32), st.integers(1, 6))
def test_a_version_cut_in_two_on_any_day_charges_the_same_for_energy_without_blocks(
    tariff: Tariff, seed: int, cut: int
) -> None:
    periods = tuple(replace(p, blocks=p.blocks[-1:]) for p in tariff.periods)
    plain = replace(tariff, periods=periods, scope=BlockScope.MONTH_POOLED)
    day = FIRST + timedelta(days=cut)
    cut_in_two = _schedule(replace(plain, effective_to=day), replace(plain, effective_from=day))
    span, usage = BillSpan(FIRST, FIRST + timedelta(days=7)), _usage(seed, 7)
    energy = [
        sum(line.exact_amount for line in rate(s, determinants(s, usage, [span], ZONE)[0]).lines
            if line.kind is LineKind.ENERGY)
        for s in (_schedule(plain), cut_in_two)
    ]  # fmt: skip
    assert energy[0] == energy[1]


@given(st.sampled_from(list(ProrationRule)), st.integers(1, 60), st.data())
def test_the_months_of_a_bills_parts_add_up_to_the_months_of_the_bill(
    rule: ProrationRule, days: int, data: st.DataObject
) -> None:
    span = BillSpan(FIRST, FIRST + timedelta(days=days))
    every = [FIRST + timedelta(days=n) for n in range(days)]
    cut = data.draw(st.integers(0, days))
    parts = months_of(Proration(rule), span, every[:cut]) + months_of(Proration(rule), span, every[cut:])
    assert parts == months_of(Proration(rule), span, every)


@settings(max_examples=50, deadline=None)
@given(tariffs(), tariffs(), st.integers(0, 6))
def test_a_rate_that_is_written_reads_back_as_the_same_rate(first: Tariff, second: Tariff, cut: int) -> None:
    day = FIRST + timedelta(days=cut)
    schedule = _schedule(replace(first, effective_to=day), replace(second, effective_from=day))
    assert parse_rate(json.dumps(rate_document(schedule)).encode(), code="other") == schedule


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8),
    st.builds(list), st.builds(dict), st.builds(lambda: [[]]), st.builds(lambda: {"value": {}}),
    st.sampled_from(["NaN", "1e999999", "-0", "24:01", "2026-02-30", "any", "\ud800"]),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_rate_file_with_anything_anywhere_is_read_or_refused_by_name(data: st.DataObject) -> None:
    document = json.loads(json.dumps(WHOLE_DOCUMENT))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(document)))
        place = document
        for step in path[:-1]:
            place = place[step]
        if data.draw(st.booleans()):
            place[path[-1]] = data.draw(JUNK)
        else:
            del place[path[-1]]
    refused = _refusal(json.dumps(document).encode())
    assert refused is None or (refused.clause and refused.reason)


def _refusal(octets: bytes) -> TariffError | None:
    try:
        parse_rate(octets, code="x")
    except TariffError as error:
        return error
    return None
