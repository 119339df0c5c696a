"""Values of riders from files: they fill what a rate does not know, and a home's files reach its rates."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from openami.app.billing import rate_files
from openami.app.billing.rate_files import assume_values, home_rates
from openami.app.settings import Home
from openami.billing.tariff import RateSchedule, TariffError, demonstration_rates, shipped_rates
from openami.billing.tariff.load import MAX_OCTETS
from openami.billing.tariff.values import parse_values, with_values

JANUARY = date(2026, 1, 1)
FAC = """
format = "openami-rate-values/1"
[[charges]]
code = "FAC"
rates = ["ameren-mo-anytime"]
values = [{from = 2026-01-01, value = "0.004", provenance = "filing", confidence = "high"}]
"""


def _unknown(rates: dict[str, RateSchedule], day: date) -> set[str]:
    """Return the codes of charges whose value is not known on a day."""
    found = set()
    for schedule in rates.values():
        version = schedule.versions[schedule.version_on(day)]
        for charge in (*version.riders, *version.taxes, *version.credits):
            index = charge.index_on(day)
            if index is not None and charge.values[index].value is None:
                found.add(charge.code)
    return found


def _value(schedule: RateSchedule, day: date) -> Decimal | None:
    rider = next(r for r in schedule.versions[0].riders if r.code == "FAC")
    index = rider.index_on(day)
    return None if index is None else rider.values[index].value


def test_a_value_holds_from_its_day_and_leaves_days_before_as_they_were() -> None:
    rates = with_values(shipped_rates(), parse_values(FAC.encode()))
    anytime = rates["ameren-mo-anytime"]
    assert [_value(anytime, d) for d in (date(2025, 12, 31), JANUARY)] == [None, Decimal("0.004")]
    assert _value(rates["ameren-mo-smart"], JANUARY) is None


def test_the_shipped_rates_say_what_they_do_not_know_and_the_assumed_values_fill_all_of_it() -> None:
    assert _unknown(shipped_rates(), JANUARY) == {"FAC", "RESRAM", "EEIC", "SUR", "GRT"}
    assert _unknown(demonstration_rates(), JANUARY) == set()
    filled = demonstration_rates()["ameren-mo-anytime"].versions[0].riders
    assert all(r.values[-1].confidence == "assumed" for r in filled)
    assert sum((r.values[-1].value or Decimal(0) for r in filled), Decimal(0)) == Decimal("0.00778")


def test_the_five_options_have_the_same_riders_and_taxes() -> None:
    sheets = [r.versions[0] for r in shipped_rates().values()]
    assert len(sheets) == 5
    assert all((s.riders, s.taxes, s.fixed) == (sheets[0].riders, sheets[0].taxes, sheets[0].fixed) for s in sheets)


@pytest.mark.parametrize(
    ("old", "new", "clause"),
    [
        ("ameren-mo-anytime", "nowhere", "charges[FAC].rates"),
        ('code = "FAC"', 'code = "FACT"', "charges[FACT]"),
        ("openami-rate-values/1", "openami-rate/2", "format"),
        ('"0.004"', '"four"', "charges[FAC].values[0].value"),
    ],
    ids=["a rate that is not there", "a rider that is not there", "another format", "no number"],
)
def test_a_values_file_that_says_nothing_of_use_is_refused(old: str, new: str, clause: str) -> None:
    with pytest.raises(TariffError) as refused:
        with_values(shipped_rates(), parse_values(FAC.replace(old, new).encode()))
    assert refused.value.clause == clause


def test_a_home_adds_rates_and_values_and_a_bad_file_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home_rates(home) == shipped_rates()
    assume_values(home)
    assert home_rates(home) == demonstration_rates()
    place = tmp_path / "rates" / "own.toml"
    place.write_text(
        'format = "openami-rate/2"\ncode = "own"\nname = "Own"\n[[versions]]\n'
        'periods.all = {name = "All", blocks = [{price = "0.1"}]}\n'
        'seasons = [{name = "year", months = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], '
        'days = {every_day = [["00:00", "24:00", "all"]]}}]\n'
    )
    assert home_rates(home)["own"].name == "Own"
    place.write_text("format = ")
    with pytest.raises(TariffError, match=r"own\.toml"):
        home_rates(home)


@pytest.mark.parametrize("folder", ["rates", "rates/values"])
@pytest.mark.parametrize("make", ["pipe", "long", "folder"])
def test_a_file_that_would_keep_its_reader_busy_is_refused_by_its_name(folder: str, make: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.folder("rates")
    place = home.folder(folder) / "bad.toml"
    if make == "pipe":
        os.mkfifo(place)
    elif make == "folder":
        place.mkdir()
    else:
        place.write_bytes(b"#" * (MAX_OCTETS + 1))
    with pytest.raises(TariffError, match=r"bad\.toml.*(no regular file|the limit is)"):
        home_rates(home)


def test_more_files_than_a_utility_has_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.folder("rates")
    values = home.folder("rates/values")
    monkeypatch.setattr(rate_files, "MOST_FILES", 2)
    for n in range(3):
        (values / f"{n}.toml").write_text(FAC)
    with pytest.raises(TariffError, match=r"values: 3 files of rates or values, the limit is 2"):
        home_rates(home)


def test_a_document_of_values_that_is_too_long_is_not_parsed() -> None:
    with pytest.raises(TariffError, match="the limit is"):
        parse_values(b"{" + b" " * MAX_OCTETS)
