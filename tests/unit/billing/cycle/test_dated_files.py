"""Files of billing: a calendar and a jurisdiction say what they say, and refuse the rest by its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.app.billing.billing_setting import load_standing
from openami.app.settings import SettingsError
from openami.billing.calendar import CalendarError, ReadDay, load_calendar
from openami.billing.calendar.load import parse_calendar
from openami.billing.jurisdiction import JurisdictionError, load_jurisdiction, shipped_jurisdiction
from openami.billing.jurisdiction.load import parse_jurisdiction
from openami.kernel.errors import OpenAmiError

HEAD = 'schema = "openami-calendar/1"\n'
ROW = "[[read]]\ngroup = {group}\nrevenue_month = {month}\nread_on = {day}\n"
SHIPPED = (Path(parse_jurisdiction.__code__.co_filename).parent / "missouri.toml").read_text()


def test_a_calendar_of_days_gives_these_days_and_no_others() -> None:
    text = HEAD + ROW.format(group=3, month="2026-11-01", day="2026-11-04") + ROW.format(
        group=3, month="2026-12-01", day="2026-12-03"
    )  # fmt: skip
    found = parse_calendar(text.encode(), name="c")
    assert found.read_days(3, date(2026, 11, 1), date(2026, 12, 3)) == [
        ReadDay(date(2026, 11, 4), 3, date(2026, 11, 1))
    ]
    assert found.read_days(4, date(2026, 1, 1), date(2027, 1, 1)) == []


def test_a_calendar_by_rule_counts_business_days_without_its_own_holidays() -> None:
    told = parse_calendar((HEAD + 'groups = 2\nholidays = ["new_years_day", 2027-01-04]\n').encode(), name="c")
    (found,) = told.read_days(1, date(2027, 1, 1), date(2027, 1, 20))
    assert found.read_on == date(2027, 1, 5)
    assert told.read_days(3, date(2027, 1, 1), date(2027, 3, 1)) == []


def test_a_calendar_whose_dated_holidays_end_reads_nobody_in_the_year_after_them() -> None:
    listed = parse_calendar((HEAD + 'groups = 2\nholidays = ["new_years_day", 2027-01-04]\n').encode(), name="c")
    assert listed.read_days(1, date(2027, 12, 1), date(2028, 3, 1)) == [
        ReadDay(date(2027, 12, 1), 1, date(2027, 12, 1))
    ]
    extra = HEAD + 'groups = 2\ndates_are_extra = true\nholidays = ["new_years_day", 2027-01-04]\n'
    found = parse_calendar(extra.encode(), name="c").read_days(1, date(2027, 12, 2), date(2028, 3, 1))
    assert [d.read_on for d in found] == [date(2028, 1, 3), date(2028, 2, 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "groups = 2\ndates_are_extra = 1", "dates_are_extra"),
        ("schema = 1", "schema"),
        (HEAD + "groups = 0", "groups"),
        (HEAD + 'holidays = ["easter"]', "'easter' is no date"),
        (HEAD + "read = []", "at least once"),
        (HEAD + ROW.format(group=100, month="2026-11-01", day="2026-11-04"), r"read\[0\].group"),
        (HEAD + ROW.format(group=1, month="2026-11-02", day="2026-11-04"), "first of a month"),
        (HEAD + ROW.format(group=1, month="2026-11-01", day='"soon"'), "read_on"),
        (HEAD + 2 * ROW.format(group=1, month="2026-11-01", day="2026-11-04"), "twice"),
        (HEAD + "[[read]]\nword = 1", "'word'"),
        ("[", "c: "),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_by_its_place(text: str, words: str) -> None:
    with pytest.raises(CalendarError, match=words):
        parse_calendar(text.encode(), name="c")


def test_the_shipped_rules_are_missouris_with_their_clauses() -> None:
    rules = shipped_jurisdiction().on(date(2026, 11, 1))
    assert (rules.period.least_days, rules.period.most_days, rules.due_days) == (26, 35, 21)
    assert (rules.correction.over_periods, rules.correction.under_periods, rules.correction.tampering_periods) == (
        60, 12, None,
    )  # fmt: skip
    assert set(rules.origins) == {"period", "due", "estimate", "true_up", "reading", "correction"}
    assert [t for t, o in rules.origins.items() if "20 CSR 4240" not in o.clause] == ["reading"]
    assert (rules.reading.allowed_wh(100_000, 2), rules.reading.allowed_wh(4_000_000, 2)) == (4_000, 20_000)


def test_how_far_readings_may_differ_is_dated_and_a_file_of_before_has_what_is_shipped() -> None:
    later = SHIPPED[SHIPPED.index("[[rules]]") :].replace("[[rules]]", "[[rules]]\nfrom = 2027-01-01", 1)
    later = later.replace('least_actual_share = "0.9"', 'least_actual_share = "0.95"')
    told = parse_jurisdiction((SHIPPED + later).encode(), name="j")
    days = [told.on(d).reading.least_actual_share for d in (date(2026, 12, 31), date(2027, 1, 1))]
    assert days == [Decimal("0.9"), Decimal("0.95")]
    table = SHIPPED[SHIPPED.index("[rules.reading]") : SHIPPED.index("[rules.correction]")]
    found = parse_jurisdiction(SHIPPED.replace(table, "").encode(), name="j.toml").on(date(2026, 11, 1))
    assert found.reading == shipped_jurisdiction().on(date(2026, 11, 1)).reading
    assert found.origins["reading"].clause.startswith("not in j.toml, so as shipped")


def test_later_rules_hold_from_their_day_on() -> None:
    later = SHIPPED[SHIPPED.index("[[rules]]") :].replace("[[rules]]", "[[rules]]\nfrom = 2027-01-01", 1)
    told = parse_jurisdiction((SHIPPED + later.replace("most_days = 35", "most_days = 40")).encode(), name="j")
    days = [told.on(d).period.most_days for d in (date(2026, 12, 31), date(2027, 1, 1))]
    assert days == [35, 40]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("least_days = 26", "least_days = 60", "no range"),
        ("least_days = 26", "least_days = true", "least_days"),
        ('register_share = "0.005"', 'register_share = "5"', "register_share"),
        ('"weather"', '"laziness"', "causes"),
        ('confidence = "verified"', 'confidence = "sure"', "confidence"),
        ("[rules.due]", "[rules.dues]", "dues"),
        ('tolerance_money = "1.00"', 'tolerance_money = "a lot"', "tolerance_money"),
        ('apportion = "estimate"', 'apportion = "luck"', "apportion"),
        ('in_parts_over = "0.25"', 'in_parts_over = "-1"', "in_parts_over"),
        ("openami-jurisdiction/1", "other", "schema"),
    ],
)
def test_rules_that_cannot_be_are_refused_by_their_place(old: str, new: str, words: str) -> None:
    with pytest.raises(JurisdictionError, match=words):
        parse_jurisdiction((SHIPPED.replace(old, new, 1)).encode(), name="j")


@given(st.text(max_size=200))
def test_no_text_crashes_a_reader(text: str) -> None:
    with pytest.raises(CalendarError, match=r"^x"):
        parse_calendar(text.encode(), name="x")
    with pytest.raises(JurisdictionError, match=r"^x"):
        parse_jurisdiction(text.encode(), name="x")


def test_without_files_what_is_shipped_holds(tmp_path: Path) -> None:
    assert load_jurisdiction(tmp_path / "none.toml") is shipped_jurisdiction()
    assert load_calendar(tmp_path / "none.toml").read_days(1, date(2026, 11, 1), date(2026, 11, 30))
    assert load_standing(tmp_path / "none.toml").municipality == ""


@pytest.mark.parametrize(
    "octets",
    [b"\xff\xfe", b"a = " + b"[" * 5_000 + b"]" * 5_000, b"a" + b".b" * 50_000 + b" = 1", b"#" * 3_000_000],
    ids=["no text", "nested without end", "a key of fifty thousand parts", "longer than any such file"],
)
@pytest.mark.parametrize(
    ("load", "error"),
    [(load_calendar, CalendarError), (load_jurisdiction, JurisdictionError), (load_standing, SettingsError)],
)
def test_a_file_made_to_harm_its_reader_is_refused_by_its_name(
    load: Callable[[Path], object], error: type[OpenAmiError], octets: bytes, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(octets)
    with pytest.raises(error, match=r"bad\.toml"):
        load(bad)
