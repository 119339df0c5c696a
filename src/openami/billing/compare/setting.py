"""Settings of the comparison, each in force from a day on: how much data is needed, what saving is noise."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

from openami.kernel.errors import OpenAmiError

_YEAR_DAYS = 365


class SettingError(OpenAmiError):
    """A file of settings cannot be read, or none is in force on a day."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What an honest comparison needs, on days from ``effective_from`` on.

    Args:
        effective_from: first day in force.
        min_coverage: least share of a month's intervals that must be there, 0 to 1.
        noise_share: a saving below this share of the present bill is noise, 0 to 1.
        noise_per_year: a saving below this amount a year is noise.
        protection_months: length of a first year on another rate in which the lower of both bills is paid.
        source: where the figures come from, in words.
    """

    effective_from: date
    min_coverage: Decimal
    noise_share: Decimal
    noise_per_year: Decimal
    protection_months: int
    source: str

    def noise(self, present_total: Decimal, days: int) -> Decimal:
        """Return the least saving that is advice, for a present bill over so many days.

        >>> setting_on(date(2026, 1, 1)).noise(Decimal("1200.00"), 365)
        Decimal('24.0000')
        """
        return max(abs(present_total) * self.noise_share, self.noise_per_year * days / _YEAR_DAYS)


def setting_on(day: date) -> Setting:
    """Return the setting in force on a day.

    Raises:
        SettingError: none is.
    """
    found = [s for s in shipped_settings() if s.effective_from <= day]
    if not found:
        raise SettingError(f"no setting of the comparison is in force on {day}")
    return max(found, key=lambda s: s.effective_from)


@cache
def shipped_settings() -> tuple[Setting, ...]:
    """Return the settings that ship with OpenAMI."""
    return parse_settings((files("openami.billing.compare") / "settings.toml").read_text())


def parse_settings(text: str) -> tuple[Setting, ...]:
    """Return the settings of a TOML document.

    Raises:
        SettingError: it is not TOML, or a key is missing or out of its range.
    """
    try:
        rows = tomllib.loads(text)["setting"]
        found = tuple(
            Setting(
                r["effective_from"], Decimal(r["min_coverage"]), Decimal(r["noise_share"]),
                Decimal(r["noise_per_year"]), int(r["protection_months"]), str(r["source"]),
            )
            for r in rows
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ArithmeticError, ValueError) as error:
        raise SettingError(f"settings of the comparison: {type(error).__name__} {error}") from error
    for setting in found:
        shares = (setting.min_coverage, setting.noise_share)
        if not all(0 <= s <= 1 for s in shares) or setting.noise_per_year < 0 or setting.protection_months < 1:
            raise SettingError(f"settings of {setting.effective_from}: a share is beyond 0 to 1, or an amount negative")
    return found
