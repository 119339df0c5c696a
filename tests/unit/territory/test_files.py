"""The territory's files: whole or not at all, closed to others, and never guessed at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from openami.app.territory.territory_files import FileCounterStore, Standing, TerritoryFiles, TerritoryFilesError
from openami.meter.counters import BLOCK, InvocationCounters
from openami.sim.factory import FactoryFileError, make_meters, parse_book, shipment_document
from openami.sim.plan import PlanError, make_plan, parse_plan

NOW = datetime(2026, 11, 23, 15, 7, tzinfo=UTC)
PLAN = make_plan(
    seed=1, homes=3, days=30, zone="America/Chicago", now=NOW, service_points=[UUID(int=k) for k in range(3)]
)


def test_counters_on_disk_are_above_every_counter_that_was_given_out(tmp_path: Path) -> None:
    place = tmp_path / "ceilings"
    counters = InvocationCounters(FileCounterStore(place, 2))
    given = [counters.take(1) for _ in range(BLOCK + 10)]
    assert FileCounterStore(place, 2).ceilings()[1] > max(given)
    assert place.stat().st_mode & 0o077 == 0


def test_counters_of_another_fleet_are_refused_rather_than_guessed(tmp_path: Path) -> None:
    FileCounterStore(tmp_path / "ceilings", 2).keep(np.array([5, 5]))
    with pytest.raises(TerritoryFilesError):
        FileCounterStore(tmp_path / "ceilings", 3).ceilings()


def test_where_registers_stand_reads_back(tmp_path: Path) -> None:
    files = TerritoryFiles(tmp_path)
    made_before = files.is_made
    files.write_standing(Standing(900, np.array([1, 2]), np.array([3, 4]), 0, np.array([5, 6]), np.array([7, 8])))
    standing = files.standing()
    assert (made_before, files.is_made) == (False, True)
    assert (standing.at_s, standing.delivered_mj.tolist(), standing.back_received_mj.tolist()) == (900, [1, 2], [7, 8])


def test_a_plan_and_its_book_read_back_and_hold_no_key_outside_the_book(tmp_path: Path) -> None:
    files = TerritoryFiles(tmp_path)
    meters = make_meters(3, secret=np.random.default_rng(5).bytes)
    files.write_plan(PLAN, book=shipment_document(meters, shipment_id="s", made_at=NOW))
    assert files.plan() == PLAN
    assert files.book() == meters
    assert (tmp_path / "meters.json").stat().st_mode & 0o077 == 0
    assert meters[0].identity.encryption_key.hex() not in (tmp_path / "plan.json").read_text()


def test_the_plan_ends_on_a_quarter_hour_and_holds_back_a_week_that_begins_at_local_midnight() -> None:
    assert datetime.fromtimestamp(PLAN.history_end_s, UTC) == NOW - timedelta(minutes=7)
    assert datetime.fromtimestamp(PLAN.held_back_from_s, UTC) == datetime(2026, 11, 16, 6, tzinfo=UTC)
    assert (PLAN.last_day - PLAN.first_day).days == 30


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"service_points": 3}', "\x00"])
def test_other_text_is_no_plan_and_no_book(text: str) -> None:
    with pytest.raises(PlanError):
        parse_plan(text)
    with pytest.raises(FactoryFileError):
        parse_book(text)


def test_a_territory_that_was_never_made_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TerritoryFilesError, match=r"plan\.json"):
        TerritoryFiles(tmp_path).plan()
