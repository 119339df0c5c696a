"""What the registry says of a place becomes the terms of its bills: where it is taxed, its class, nothing by guess."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from openami.app.billing.billing_setting import load_standing
from openami.app.commands.registry_facts import kind_of, rows_of
from openami.app.settings import SettingsError
from openami.billing.cycle.terms import OwnFacts, Standing, own_facts
from openami.billing.rating.terms import Annexed
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import MisuseError
from openami.mdm.api import Fact, FactKind, MeterData
from openami.mdm.registry.facts import FactError, fact_value

JUNE = BillSpan(date(2026, 6, 1), date(2026, 7, 1))
PLACE, OTHER = uuid4(), uuid4()
HOME = Standing("Ladue", {"class": "residential", "exempt": "no"})


def at(month: int, day: int) -> datetime:
    """Midnight in Chicago in summer."""
    return datetime(2026, month, day, 5, tzinfo=UTC)


def said(kind: FactKind, value: str, start: datetime, end: datetime | None = None) -> Fact:
    return Fact(PLACE, kind, value, start, end, start)


async def own(*facts: Fact, standing: Standing = HOME) -> dict[UUID, OwnFacts]:
    """Ask of two places, of which the registry knows facts of the first alone."""

    class Book:
        async def of(self, _points: Any, *, kinds: Collection[FactKind]) -> list[Fact]:
            return [f for f in facts if f.kind in kinds]

        async def kinds(self) -> frozenset[FactKind]:
            return frozenset(f.kind for f in facts)

    meters = cast("MeterData", SimpleNamespace(registry=SimpleNamespace(facts=Book())))
    return await own_facts(meters, {PLACE: "America/Chicago", OTHER: "America/Chicago"}, standing)


TOWN = FactKind.MUNICIPALITY


@pytest.mark.parametrize(
    ("facts", "first", "annexed"),
    [
        ((), "Ladue", ()),
        ((said(TOWN, "Brent", at(1, 1)),), "Brent", ()),
        (
            (said(TOWN, "Alton", at(1, 1), at(6, 11)), said(TOWN, "Brent", at(6, 11))),
            "Alton",
            (Annexed(date(2026, 6, 11), "Brent"),),
        ),
        ((said(TOWN, "Brent", at(6, 11)),), "", (Annexed(date(2026, 6, 11), "Brent"),)),
        ((said(TOWN, "Alton", at(1, 1), at(6, 30)),), "Alton", (Annexed(date(2026, 6, 30), ""),)),
        ((said(TOWN, "Alton", at(1, 1), at(6, 9)), said(TOWN, "Alton", at(6, 9))), "Alton", ()),
    ],
    ids=["no place has one", "its own", "annexed", "not known before", "not known after", "said twice alike"],
)
async def test_a_bill_is_taxed_where_its_place_lay_on_each_day(
    facts: tuple[Fact, ...], first: str, annexed: tuple[Annexed, ...]
) -> None:
    terms = (await own(*facts))[PLACE].terms(JUNE)
    assert (terms.municipality, terms.annexed) == (first, annexed)


async def test_once_the_registry_keeps_municipalities_a_place_without_one_is_not_taxed_by_guess() -> None:
    facts = (said(TOWN, "Alton", at(1, 1)),)
    assert (await own(*facts))[OTHER].terms(JUNE).municipality == ""
    by_default = Standing("Ladue", is_default=True)
    assert (await own(*facts, standing=by_default))[OTHER].terms(JUNE).municipality == "Ladue"


async def test_a_class_of_a_place_takes_the_place_of_the_homes_and_counts_as_on_the_last_day() -> None:
    facts = (said(FactKind.CUSTOMER_CLASS, "small-commercial", at(6, 30)),)
    found = await own(*facts)
    assert found[PLACE].terms(JUNE).attributes == {"class": "small-commercial", "exempt": "no"}
    assert found[OTHER].terms(JUNE).attributes == HOME.attributes
    assert found[PLACE].terms(BillSpan(JUNE.first, date(2026, 6, 30))).attributes == HOME.attributes


def test_a_name_of_a_town_is_a_name_and_nothing_else() -> None:
    assert fact_value(TOWN, " St.  Louis ") == "St. Louis"
    for told in ("", "<b>", "x" * 101, "two\nlines\x00"):
        with pytest.raises(FactError, match="municipality"):
            fact_value(TOWN, told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("place,kind,value\nA,municipality,Alton\n", "the columns are"),
        ("place,kind,value,from\n", "no row"),
        ("place,kind,value,from\nA,municipality\n", "line 2: it has more or fewer cells"),
        ("place,kind,value,from\nA,municipality,Alton,2026-06-01,x\n", "line 2: it has more or fewer cells"),
        ('place,kind,value,from\nA,"municip', "cannot be read"),
    ],
)
def test_a_file_of_facts_that_cannot_be_read_is_refused_by_its_line(text: str, words: str, tmp_path: Path) -> None:
    told = tmp_path / "facts.csv"
    told.write_text(text)
    with pytest.raises(MisuseError, match=words):
        rows_of(told)


def test_a_file_of_facts_is_read_by_its_head(tmp_path: Path) -> None:
    told = tmp_path / "facts.csv"
    told.write_text("kind,place,from,value,until\nmunicipality,A, 2026-06-11,St. Louis,\n")
    row = {"kind": "municipality", "place": "A", "from": "2026-06-11", "value": "St. Louis", "until": ""}
    assert rows_of(told) == [(2, row)]
    assert kind_of("customer-class") is FactKind.CUSTOMER_CLASS
    with pytest.raises(MisuseError, match="is no kind"):
        kind_of("owner")


def test_the_home_says_whether_its_municipality_holds_where_none_is_entered(tmp_path: Path) -> None:
    told = tmp_path / "standing.toml"
    told.write_text('municipality = "Ladue"\nmunicipality_is_default = true')
    assert load_standing(told) == Standing("Ladue", {}, is_default=True)
    told.write_text('municipality = "Ladue"\nmunicipality_is_default = "yes"')
    with pytest.raises(SettingsError, match="municipality_is_default = true"):
        load_standing(told)
