"""Another system's bills are a stranger's file: no bomb, no day out of time, no formula, and no look unseen."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from tests.unit.billing.statement.made import made_facts

from openami.app.billing import parallel_desk
from openami.app.billing.parallel_files import parse_places
from openami.app.commands import bill_parallel
from openami.app.people.desk import Act, Person
from openami.app.settings import Settings
from openami.billing.calendar.cycle import Cycle
from openami.billing.parallel.cause import Cause
from openami.billing.parallel.difference import BillDifference, Effect
from openami.billing.parallel.report import ParallelReport
from openami.billing.parallel.theirs import COLUMNS, ParallelFileError, parse_their_bills

pytestmark = pytest.mark.attack("A21")
PLACES = "service_point,rate,from,to\n"
HEAD = ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    "rows",
    [
        "SP-1," + "r" * 200_000 + ",2026-06-15,2026-07-15\n",
        'SP-1,"r,2026-06-15,2026-07-15\n' + "x" * 200_000,
        "SP-1,r,0001-01-01,2026-07-15\n",
        "SP-1,r,2026-06-15,9999-12-31\n",
        "SP-1,r,2020-06-15,2026-07-15\n",
        "SP-1,r,2026-06-15,2026-07-15\n\x00,r,2026-06-15\n",
    ],
    ids=[
        "a cell without end",
        "a quote without end",
        "the first day of all",
        "the last day of all",
        "six years",
        "NUL",
    ],
)
def test_a_file_of_places_is_refused_by_its_line_whatever_is_in_it(rows: str) -> None:
    with pytest.raises(ParallelFileError):
        parse_places((PLACES + rows).encode())


@pytest.mark.parametrize(
    ("first", "end"), [("0001-01-01", "0001-02-01"), ("9999-12-01", "9999-12-31"), ("2020-01-01", "2026-01-01")]
)
def test_a_bill_of_days_that_nobody_bills_is_refused(first: str, end: str) -> None:
    with pytest.raises(ParallelFileError, match="line 2"):
        parse_their_bills((HEAD + f"B1,SP-1,r,{first},{end},total,,,,,,,25.41\n").encode())


@pytest.mark.parametrize(
    "letter", ["\x1b[31m", "\x00", "\x9b", "\x7f", "\u202e"], ids=["escape", "NUL", "C1", "DEL", "turned"]
)
def test_a_text_that_steers_a_terminal_is_refused_by_its_line(letter: str) -> None:
    bill = f"B1,SP-1,r,2026-06-15,2026-07-15,total,,,,,,,25.41\nB{letter}2,SP-2,r,2026-06-15,2026-07-15,total,,,,,,,1\n"
    with pytest.raises(ParallelFileError, match="line 3") as refused:
        parse_their_bills((HEAD + bill).encode())
    assert str(refused.value).isprintable()
    with pytest.raises(ParallelFileError, match="line 2"):
        parse_places((PLACES + f"SP{letter}1,r,2026-06-15,2026-07-15\n").encode())


def test_no_cell_that_a_stranger_wrote_is_a_formula_for_whoever_opens_the_differences(tmp_path: Path) -> None:
    evil = ['=HYPERLINK("http://x")', "+1+1", "@SUM(A1)", "-2+3", "\t=1", "\r=1"]
    found = [
        BillDifference(e, e, None, Decimal("-3.10"), (Effect(Cause.UNKNOWN_PLACE, Decimal("-3.10"), e),)) for e in evil
    ]
    report = ParallelReport(tuple(found), 0, Decimal(0), Decimal(0))
    bill_parallel._write(report, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as source:
        _, *rows = csv.reader(source)
    assert len(rows) == len(evil)
    for row in rows:
        for text in (row[0], row[1], row[6]):
            assert text.startswith("'"), row
        assert row[4] == row[5] == "-3.10", "figures stay figures"


async def test_the_log_names_every_place_whose_bill_a_comparison_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    bill = replace(made_facts().bill, cycle=Cycle(1, date(2026, 10, 1), date(2026, 10, 20)))
    asked, beside = replace(bill, service_point_id=UUID(int=1)), replace(bill, service_point_id=UUID(int=2))
    acts: list[Act] = []
    names = {"SP-1": UUID(int=1), "SP-2": UUID(int=2)}

    async def all_names(*_: object) -> dict[UUID, str]:
        return {place: name for name, place in names.items()}

    async def issued(*_: object, **__: object) -> list[Any]:
        return [asked, beside]

    @asynccontextmanager
    async def rooms(_: Settings) -> AsyncIterator[object]:
        book = SimpleNamespace(issued=issued, assignments=None)
        yield SimpleNamespace(book=SimpleNamespace(names=all_names), billing=SimpleNamespace(book=book))

    @asynccontextmanager
    async def acting(_: Settings, person: Person, act: Act) -> AsyncIterator[None]:
        acts.append(act)
        yield

    async def named(*_: object) -> dict[str, UUID]:
        return {"SP-1": UUID(int=1)}

    async def sides(*_: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr(parallel_desk, "rooms_of", rooms)
    monkeypatch.setattr(parallel_desk, "acting", acting)
    monkeypatch.setattr(parallel_desk, "places_named", named)
    monkeypatch.setattr(parallel_desk, "home_rates", lambda _: {})
    monkeypatch.setattr(parallel_desk, "_sides", sides)
    text = HEAD + f"B1,SP-1,r,{bill.span.first},{bill.span.end},total,,,,,,,25.41\n"
    settings = cast("Settings", SimpleNamespace(home=None))
    await parallel_desk.compare_with(settings, Person("anna", "x"), "cis", parse_their_bills(text.encode()))
    (act,) = acts
    assert act.service_points == {UUID(int=1), UUID(int=2)}
