"""Files of dated values for riders, taxes and credits: what changes often, kept apart from the rates that name them.

A utility files new rider values several times a year, and one file holds them for all its rates. A value takes the
place of the rate's own of the same first day; other days keep what the rate has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.resources import files
from typing import TypeVar

from openami.billing.tariff.charge import DatedCharge, DatedValue, Tax
from openami.billing.tariff.clause import Clause
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportPrice, ExportTerms
from openami.billing.tariff.load import MAX_OCTETS, parse_document, shipped_rates
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.native_charge import read_value

FORMAT = "openami-rate-values/1"
EXPORT = "EXPORT"
"""The code by which a file gives prices of energy sent out, for every price period alike."""
_Charge = TypeVar("_Charge", bound=DatedCharge)


@dataclass(frozen=True, slots=True)
class ChargeValues:
    """Values of one charge.

    Args:
        rates: codes of the rates.
        code: of the rider, tax or credit, or ``EXPORT`` for the price of energy sent out.
        municipality: of a tax; empty is everywhere.
        values: rising by date.
    """

    rates: frozenset[str]
    code: str
    municipality: str
    values: tuple[DatedValue, ...]


def parse_values(octets: bytes) -> tuple[ChargeValues, ...]:
    """Return the values of a file, JSON or TOML.

    Raises:
        TariffError: it is too long, or a clause is missing, malformed or not of the format; the path names it.
    """
    if len(octets) > MAX_OCTETS:
        raise TariffError("file", f"{len(octets)} octets, the limit is {MAX_OCTETS}; split it")
    root = Clause("", parse_document(octets))
    if root.at("format").text() != FORMAT:
        raise TariffError("format", f"{FORMAT} is needed here")
    root.get("name", Clause.text, "")
    found = []
    for row in root.each("charges", named="code"):
        values = tuple(sorted((read_value(v) for v in row.at("values").items()), key=_first_day))
        municipality = row.get("municipality", Clause.text, "")
        found.append(ChargeValues(frozenset(row.at("rates").texts()), row.at("code").text(), municipality, values))
        row.close()
    root.close()
    return tuple(found)


def with_values(schedules: Mapping[str, RateSchedule], files: Sequence[ChargeValues]) -> dict[str, RateSchedule]:
    """Return rates with the values of files in place of their own of the same days.

    Raises:
        TariffError: a file names a rate that is not known, or a charge that the rate has not.
    """
    found = dict(schedules)
    for row in files:
        for code in sorted(row.rates):
            if code not in found:
                raise TariffError(f"charges[{row.code}].rates", f"there is no rate {code[:40]!r}")
            found[code] = _schedule_with(found[code], row)
    return found


def demonstration_rates() -> dict[str, RateSchedule]:
    """Return the shipped rates with assumed values for what is not known: for demonstrations, never for customers."""
    return with_values(shipped_rates(), parse_values(assumed_values()))


def assumed_values() -> bytes:
    """Return the file of assumed values that ships with the rates."""
    return (files("openami.billing") / "rates" / "assumed" / "ameren-mo.toml").read_bytes()


def _schedule_with(schedule: RateSchedule, row: ChargeValues) -> RateSchedule:
    versions = tuple(_version_with(v, row) for v in schedule.versions)
    if versions == schedule.versions and not _has(schedule, row):
        raise TariffError(
            f"charges[{row.code}]", f"{schedule.code} has no rider, tax, credit or export terms of that code there"
        )
    return replace(schedule, versions=versions)


def _has(schedule: RateSchedule, row: ChargeValues) -> bool:
    if row.code == EXPORT:
        return any(v.export is not None for v in schedule.versions)
    return any(_is(c, row) for v in schedule.versions for c in (*v.riders, *v.taxes, *v.credits))


def _is(charge: DatedCharge, row: ChargeValues) -> bool:
    municipality = charge.municipality if isinstance(charge, Tax) else ""
    return (charge.code, municipality) == (row.code, row.municipality)


def _version_with(version: Tariff, row: ChargeValues) -> Tariff:
    return replace(
        version,
        riders=tuple(_charge_with(c, row) for c in version.riders),
        taxes=tuple(_charge_with(c, row) for c in version.taxes),
        credits=tuple(_charge_with(c, row) for c in version.credits),
        export=_export_with(version.export, row),
    )


def _export_with(export: ExportTerms | None, row: ChargeValues) -> ExportTerms | None:
    if export is None or row.code != EXPORT:
        return export
    own = {p.first: p for p in export.prices if not p.period}
    given = {v.effective_from: ExportPrice(v.value, v.effective_from, "", v.confidence) for v in row.values}
    by_day = sorted((own | given).values(), key=lambda p: p.first or date.min)
    return replace(export, prices=(*by_day, *(p for p in export.prices if p.period)))


def _charge_with(charge: _Charge, row: ChargeValues) -> _Charge:
    if not _is(charge, row):
        return charge
    merged = {v.effective_from: v for v in (*charge.values, *row.values)}
    return replace(charge, values=tuple(sorted(merged.values(), key=_first_day)))


def _first_day(value: DatedValue) -> date:
    return value.effective_from or date.min
