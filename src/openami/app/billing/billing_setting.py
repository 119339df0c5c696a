"""What a home says of its bills: files in its folder ``billing``, and what is shipped where there are none.

``calendar.toml`` gives read days, ``jurisdiction.toml`` the commission's rules, ``standing.toml`` where places are
taxed and what agreements have in common.
"""

from __future__ import annotations

from pathlib import Path

from openami.app.billing.bill_calendar import billing_calendar
from openami.app.settings import Settings, SettingsError
from openami.billing.cycle.run import BillSetting
from openami.billing.cycle.terms import Standing
from openami.billing.jurisdiction import load_jurisdiction
from openami.billing.ledger.ports import NO_POSTINGS, Postings
from openami.kernel.toml import TomlError, parse_toml

JURISDICTION_FILE, STANDING_FILE = "jurisdiction.toml", "standing.toml"
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
        billing_calendar(settings),
        load_jurisdiction(folder / JURISDICTION_FILE),
        load_standing(folder / STANDING_FILE),
        postings,
    )


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
