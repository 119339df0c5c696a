"""``openami bills due|held|show``: what is due by read day, and all that a bill stands on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from typer.testing import CliRunner

from openami.app.billing.cycle_desk import DueGroup, grouped
from openami.app.commands.bills import app
from openami.app.commands.bills_cycle import _document, _held
from openami.billing.bill.hold import ACTIONS, OWNERS, RELEASABLE, Hold, HoldCode
from openami.billing.bill.record import Bill, BillKind, BillState
from openami.billing.calendar.cycle import Cycle
from openami.billing.cycle.due import Due
from openami.billing.cycle.place import Planned
from openami.billing.rating.usage import BillSpan

NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
SPAN = BillSpan(date(2026, 10, 7), date(2026, 11, 6))
CYCLE = Cycle(5, date(2026, 11, 1), date(2026, 11, 6))


def planned(number: int, kind: BillKind = BillKind.REGULAR, cycle: Cycle | None = CYCLE) -> Planned:
    return Planned(UUID(int=number), "America/Chicago", SPAN, "flat", kind, None, cycle, SPAN.days)


def test_what_is_due_is_counted_by_read_day_and_what_no_read_day_ends_comes_last() -> None:
    due = Due(
        (planned(1), planned(2, BillKind.INITIAL), planned(3, BillKind.FINAL, None)), (), {},
        {UUID(int=1): frozenset({SPAN.first})},
    )  # fmt: skip
    assert grouped(due) == [DueGroup(5, CYCLE.read_on, 2, 1, 1, 0), DueGroup(None, None, 1, 0, 0, 1)]


def test_a_held_bill_is_told_with_reason_desk_age_and_the_one_thing_that_frees_it() -> None:
    hold = Hold(HoldCode.MISSING_INTERVALS, "3 intervals have no value", NOW - timedelta(days=2, hours=5))
    bill = Bill(
        UUID(int=9), UUID(int=1), SPAN, ZoneInfo("America/Chicago").key, "flat", "Flat", "USD", BillState.HELD,
        (0,) * SPAN.days, NOW, hold=hold, cycle=CYCLE,
    )  # fmt: skip
    told = _held(bill, NOW)
    assert (told["code"], told["owner"], told["age_days"]) == ("missing_intervals", "metering", 2)
    assert "worklist" in told["action"]
    document = _document(bill)
    assert (document["revenue_month"], document["read_on"], document["total"]) == ("2026-11", "2026-11-06", None)


def test_every_reason_to_wait_has_a_desk_and_one_thing_that_frees_it() -> None:
    assert set(OWNERS) == set(ACTIONS) == set(HoldCode)
    assert set(HoldCode) > RELEASABLE


def test_the_commands_are_there_with_their_help() -> None:
    for command in ("due", "run", "held", "show", "release", "hold", "lift"):
        found = CliRunner().invoke(app, [command, "--help"])
        assert found.exit_code == 0, found.output
