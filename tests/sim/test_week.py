"""Days of simulated time: whatever the air loses and whoever is killed, every interval is there in the end, once."""

from __future__ import annotations

import pytest

from openami.contracts.event import event_identity
from openami.headend.keeping.agenda import Agenda
from openami.sim.week import Week
from openami.sim.week_plan import DRAIN_S, WeekSize, made_week, run_week
from openami.sim.week_report import billing_reads, report, told_by_the_headend

SMALL = WeekSize(meters=24, cells=4, days=3, seed=5)


@pytest.fixture(scope="module")
def week() -> Week:
    return run_week(SMALL)


def test_every_interval_that_a_meter_holds_is_published_once_with_its_value(week: Week) -> None:
    shown = report(week)
    assert shown.captured > 24 * 3 * 96 * 0.98
    assert (shown.present, shown.registers_present) == (shown.captured, shown.registers_held)
    assert (shown.doubled, shown.conflicts, shown.strangers) == (0, 0, 0)
    assert shown.pulled > 24 * 3 * 96 * 0.02


def test_billing_reads_come_by_seven_even_from_a_cell_that_was_silent_at_midnight(week: Week) -> None:
    by_cell = billing_reads(week)
    assert sum(due for due, _ in by_cell.values()) > 0
    assert all(due == in_time for due, in_time in by_cell.values())


def test_the_head_end_tells_the_same_of_itself(week: Week) -> None:
    days = tuple({d for h in week.roster.hung for d in h.read_days})
    due = sum(d for d, _ in billing_reads(week).values())
    assert told_by_the_headend(week, days) == due


def test_service_levels_leave_confirmed_outages_out_and_reach_all_within_a_day(week: Week) -> None:
    for cell in report(week).cells:
        assert cell.within[24] == 1.0
        assert cell.within[1] <= cell.within[6] <= cell.within[24]
    # Meters without supply leave no row of a dark interval, and exactly these are not expected.
    assert sum(c.expected for c in report(week).cells) == report(week).captured < 24 * 3 * 96


def test_nothing_is_left_to_ask_for(week: Week) -> None:
    assert week.headend is not None
    agenda: Agenda = week.headend.keeper.agenda
    assert not [r for r in agenda.open.values() if r.from_s < week.end_s and r.kind.value == "intervals"]


def test_an_event_is_one_event_whether_it_was_pushed_or_read_from_the_log(week: Week) -> None:
    logged = {
        (f.made.meter_id, log, int(entry.code), entry.at)
        for f in week.world.meters
        for log, ring in f.meter.state.logs.rings.items()
        for entry in ring
    }
    # A stamp says hundredths of a second; the drifting clock behind it shows more.
    known = {
        event_identity(m, log=log, code=code, at=at.replace(microsecond=at.microsecond // 10_000 * 10_000))
        for m, log, code, at in logged
    }
    assert week.disk.events
    assert week.disk.events <= known


def test_without_recovery_intervals_stay_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is broken on purpose: nothing is asked, and the report must say so."""
    monkeypatch.setattr(Agenda, "take", lambda *_, **__: [])
    lame = made_week(WeekSize(meters=4, cells=2, days=1, seed=5))
    lame.run(lame.end_s + DRAIN_S // 12)
    shown = report(lame)
    assert shown.present < shown.captured
