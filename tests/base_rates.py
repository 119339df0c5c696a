"""The shipped rates with base prices alone: for tests of what surrounds a rate, whose sums stay easy to check."""

from __future__ import annotations

from dataclasses import replace

from openami.billing.tariff import RateSchedule, shipped_rates


def base_rates() -> dict[str, RateSchedule]:
    """Return the shipped rates without riders and taxes, by code: nothing in them is unknown, so their bills issue."""
    return {
        code: replace(schedule, versions=tuple(replace(v, riders=(), taxes=(), export=None) for v in schedule.versions))
        for code, schedule in shipped_rates().items()
    }
