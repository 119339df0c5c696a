"""What a home says of its bills: files in its folder ``billing``, and what is shipped where there are none.

``calendar.toml`` gives read days, ``jurisdiction.toml`` the commission's rules, ``standing.toml`` where places are
taxed and what agreements have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from openami.app.settings import Settings, SettingsError
from openami.billing.calendar import CalendarError, CycleCalendar, load_calendar
from openami.billing.calendar.load import MOST_GROUPS
from openami.billing.cycle.run import BillSetting
from openami.billing.cycle.terms import Standing
from openami.billing.jurisdiction import load_jurisdiction
from openami.billing.ledger.ports import NO_POSTINGS, Postings
from openami.kernel.toml import TomlError, parse_toml

CALENDAR_FILE, JURISDICTION_FILE, STANDING_FILE = "calendar.toml", "jurisdiction.toml", "standing.toml"
_MOST_OCTETS = 100_000


def bill_setting(settings: Settings, *, postings: Postings = NO_POSTINGS) -> BillSetting:
    """Return what the home says.

    Args:
        settings: of the home.
        postings: where issued bills are booked.

    Raises:
        CalendarError: the calendar cannot be read.
        JurisdictionError: the rules cannot be read.
        SettingsError: the standing facts cannot be read.
    """
    folder = settings.home.folder("billing")
    return BillSetting(
        load_calendar(folder / CALENDAR_FILE),
        load_jurisdiction(folder / JURISDICTION_FILE),
        load_standing(folder / STANDING_FILE),
        postings,
    )


def billing_calendar(settings: Settings) -> CycleCalendar:
    """Return the home's read days.

    Raises:
        CalendarError: they cannot be read.
    """
    return load_calendar(settings.home.folder("billing") / CALENDAR_FILE)


def read_days_around(settings: Settings) -> Callable[[date], list[tuple[int, date]]]:
    """Return (bill group, read day) of the year before a day and the quarter after it, for whoever asks by day.

    Raises:
        CalendarError: the calendar cannot be read.
    """
    calendar = billing_calendar(settings)

    def around(day: date) -> list[tuple[int, date]]:
        first, end = day - timedelta(days=400), day + timedelta(days=100)
        groups = range(1, MOST_GROUPS + 1)
        return [(g, found.read_on) for g in groups for found in calendar.read_days(g, first, end)]

    return around


def cycle_days(settings: Settings, bill_group: int, month: date) -> tuple[date, date]:
    """Return the days ``[first, end)`` of a group's bill of a revenue month.

    Raises:
        CalendarError: the calendar cannot be read, or does not have this read day and the one before.
    """
    found = billing_calendar(settings).read_days(bill_group, month - timedelta(days=70), month + timedelta(days=70))
    at = next((n for n, d in enumerate(found) if d.revenue_month == month), 0)
    if not at:
        raise CalendarError(f"group {bill_group} has no read day for {month:%Y-%m}, or none before it")
    return found[at - 1].read_on, found[at].read_on


def load_standing(path: Path) -> Standing:
    """Return what a file says of all places: ``municipality``, and a table ``attributes`` of texts.

    ``municipality_is_default = true`` lets it hold for places without one of their own in the registry.

    Raises:
        SettingsError: it is none.
    """
    if not path.exists():
        return Standing()
    try:
        told = parse_toml(path.read_bytes(), limit_octets=_MOST_OCTETS)
    except TomlError as error:
        raise SettingsError(f"{path.name}: {error}") from error
    municipality, attributes = told.get("municipality", ""), told.get("attributes", {})
    is_default = told.get("municipality_is_default", False)
    texts = isinstance(attributes, dict) and all(isinstance(v, str) for v in attributes.values())
    keys = {"municipality", "municipality_is_default", "attributes"}
    if set(told) - keys or not isinstance(municipality, str) or not isinstance(is_default, bool) or not texts:
        raise SettingsError(
            f'{path.name}: municipality = "a text", municipality_is_default = true and [attributes] of texts may '
            "stand here"
        )
    return Standing(municipality, attributes, is_default)
