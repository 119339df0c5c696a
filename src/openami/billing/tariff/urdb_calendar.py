"""Month-by-hour tables of a URDB record as seasons with a week's plans, and names for the price periods in them."""

from __future__ import annotations

from itertools import groupby

from openami.billing.tariff.price import Block, DayPlan, PricePeriod, WeekPlan, Window
from openami.billing.tariff.season import Season
from openami.billing.tariff.urdb_value import Row

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Rows = tuple[tuple[Row, ...], tuple[Row, ...]]
"""Twelve months of 24 hours on working days, and on weekends."""


def seasons_of(weekday: tuple[Row, ...], weekend: tuple[Row, ...], demands: list[Rows]) -> tuple[Season, ...]:
    """Months whose rows are equal everywhere are one season, in order of their first month."""

    def key(month: int) -> tuple[Row, ...]:
        return (weekday[month], weekend[month], *(rows[month] for pair in demands for rows in pair))

    groups: dict[tuple[Row, ...], list[int]] = {}
    for month in range(12):
        groups.setdefault(key(month), []).append(month)
    return tuple(
        Season(
            _season_name(months),
            frozenset(m + 1 for m in months),
            _week(rows[0], rows[1]),
            tuple(_week(rows[i], rows[i + 1]) for i in range(2, len(rows), 2)),
        )
        for rows, months in groups.items()
    )


def _week(weekday: Row, weekend: Row) -> WeekPlan:
    """Monday to Friday, Saturday and Sunday, and the holiday, which bills like a weekend."""
    return (_plan(weekday),) * 5 + (_plan(weekend),) * 3


def _plan(row: Row) -> DayPlan:
    windows, hour = [], 0
    for period, run in groupby(row):
        length = len(list(run))
        windows.append(Window(hour * 60, (hour + length) * 60, period))
        hour += length
    return tuple(windows)


def _season_name(months: list[int]) -> str:
    """Name months as people do: ``Jun-Sep``, ``Oct-May`` across the year's end, or ``all year``."""
    if len(months) == 12:
        return "all year"
    starts = [m for m in months if (m - 1) % 12 not in months]
    parts = []
    for start in starts:
        end = start
        while (end + 1) % 12 in months:
            end = (end + 1) % 12
        parts.append(MONTH_NAMES[start] if end == start else f"{MONTH_NAMES[start]}-{MONTH_NAMES[end]}")
    return ", ".join(parts)


def named_periods(prices: tuple[tuple[Block, ...], ...], seasons: tuple[Season, ...]) -> tuple[PricePeriod, ...]:
    """Name each period by its season and its rank of price there: on-peak is the dearest."""
    names: dict[int, str] = {}
    for season in seasons:
        used = sorted({w.period for plan in season.energy for w in plan}, key=lambda p: -prices[p][0].price)
        words = {1: ["all hours"], 2: ["on-peak", "off-peak"], 3: ["on-peak", "mid-peak", "off-peak"]}.get(
            len(used), [f"period {i + 1}" for i in range(len(used))]
        )
        for period, word in zip(used, words, strict=True):
            place = f"{season.name} {word}"
            names[period] = f"{names[period]} / {place}" if period in names else place
    return tuple(PricePeriod(names.get(i, f"unused {i}"), blocks) for i, blocks in enumerate(prices))
