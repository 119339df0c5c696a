"""The law of the proof: whatever a rate says, each line's arithmetic gives its amount and its days add up to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from tests.property.billing.whole_rates import ZONES, Fleet, carried, fleets, schedules, terms

from openami.billing.bill.make import kept_lines
from openami.billing.bill.record import Bill, BillState
from openami.billing.proof.lines import priced, prove_lines
from openami.billing.proof.trace import line_of
from openami.billing.rating import BillSpan, Determinants, Usage, determinants, rate
from openami.billing.rating.carried import Carried
from openami.billing.rating.line import LineKind, RatedBill
from openami.billing.rating.terms import BillTerms
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.make import statement_of
from openami.billing.statement.setting import pdf_of
from openami.billing.statement.words import rate_words
from openami.billing.tariff import RateSchedule, TariffError
from openami.kernel.money import rounded_to_cent

few = settings(
    deadline=None, suppress_health_check=list(HealthCheck), max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
_FACTOR = re.compile(r"^(?P<number>-?[\d.]+)(?: (?:kWh|kW|month|day|year|%|[A-Z]{3}))?$")


def _worked_out(text: str) -> tuple[Fraction, Fraction | None]:
    """Return what a formula says its product is, and what it is by hand; None where it names a mean."""
    left, _, right = text.partition(" = ")
    if left.endswith("on average"):
        return Fraction(right.split(",")[0]), None
    sign = -1 if left.startswith("less ") else 1
    left = re.sub(r"(\d+) of (\d+) days", r"\1/\2", left)
    product = Fraction(sign)
    for factor in left.removeprefix("less ").split(" x "):
        percent, has_percent, of = factor.partition(" % of ")
        if has_percent:
            product *= Fraction(percent) * Fraction(of) / 100
            continue
        found = _FACTOR.match(factor)
        product *= Fraction(found["number"]) if found else Fraction(factor)
    return Fraction(right.split(",")[0]), product


def _usage(fleet: Fleet) -> Usage:
    return fleet.usage.one(fleet.start_s, fleet.interval_s, 1)


def _determinants(
    schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, given_terms: BillTerms
) -> Determinants:
    try:
        return determinants(schedule, usage, [span], zone, given_terms)[0]
    except TariffError:
        # No peak of the system was drawn in these days: such a bill is refused, and has nothing to prove.
        reject()


def _bill(schedule: RateSchedule, rated: RatedBill, zone: ZoneInfo, given_terms: BillTerms) -> Bill:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    return Bill(
        UUID(int=1), UUID(int=2), rated.span, zone.key, schedule.code, schedule.name, schedule.currency,
        BillState.ISSUED, (1,) * rated.span.days, at, issued_at=at, total=rated.total, exact_total=rated.exact_total,
        usage_wh=rated.determinants.usage_wh, received_wh=rated.determinants.received_wh,
        estimated_wh=rated.determinants.estimated_wh, lines=kept_lines(schedule, rated, (1,) * rated.span.days),
        terms=given_terms,
    )  # fmt: skip


@few
@given(schedules(), fleets(), st.sampled_from(ZONES).map(ZoneInfo), terms(), carried())
def test_each_line_of_any_rate_is_proved_and_can_be_read(
    schedule: RateSchedule, fleet: Fleet, zone: ZoneInfo, given_terms: BillTerms, before: Carried
) -> None:
    span, usage = BillSpan(fleet.spans[0].first, fleet.spans[-1].end), _usage(fleet)
    found = _determinants(schedule, usage, span, zone, given_terms)
    rated = rate(schedule, found, given_terms, before)
    bill = _bill(schedule, rated, zone, given_terms)
    lines = [line_of(k, schedule) for k in bill.lines]
    intervals = priced(schedule, usage, span, zone, given_terms)
    for line, proof in zip(rated.lines, prove_lines(schedule, lines, found, intervals), strict=True):
        said, worked = _worked_out(proof.formula)
        assert said == Fraction(line.exact_amount)
        assert rounded_to_cent(line.exact_amount) == line.amount
        assert worked is None or abs(said - worked) < Fraction(1, 10**15), proof.formula
        follows = line.kind is LineKind.ENERGY and "on average" in proof.formula
        assert worked is not None or follows or line.kind is LineKind.CREDIT, "only a series' price is a mean"
        if proof.metered_wh is not None:
            assert sum(d.wh for d in proof.days) == proof.metered_wh
    statement = statement_of(StatementFacts(bill, schedule))
    assert sum(len(g.lines) for g in statement.groups) == len(bill.lines), "no line is dropped"
    for version in schedule.versions:
        words = rate_words(version, schedule.currency)
        assert all(w.sentence for w in (*words.energy, *words.demand))


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=3)
@given(schedules(), fleets(), terms())
def test_the_document_of_any_rate_can_be_set(schedule: RateSchedule, fleet: Fleet, given_terms: BillTerms) -> None:
    zone = ZoneInfo("America/Chicago")
    found = _determinants(schedule, _usage(fleet), fleet.spans[0], zone, given_terms)
    bill = _bill(schedule, rate(schedule, found, given_terms), zone, given_terms)
    assert pdf_of(statement_of(StatementFacts(bill, schedule))).startswith(b"%PDF")
