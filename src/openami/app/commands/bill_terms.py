"""What ``openami bill`` takes in beside rate and intervals: terms, carried state, rider values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from openami.app.commands.intervals import octets_of
from openami.billing.bill.terms_check import fault_of
from openami.billing.bill.terms_document import parse_terms
from openami.billing.rating.carried import Carried
from openami.billing.rating.carried_document import parse_carried
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.values import parse_values, with_values
from openami.kernel.errors import MisuseError

_KEYS = frozenset(
    {
        "municipality", "annexed", "is_final", "attributes", "approved_w", "events", "prices", "coincident",
        "most_left_out",
    }
)  # fmt: skip


def load_terms(path: Path | None, spans: Sequence[BillSpan]) -> list[BillTerms]:
    """Return the terms of each bill: those of the file, the last one final where the file says so.

    The file is JSON: ``approved_w`` rows of first day, end day or null, and watts; ``coincident`` instants;
    ``events`` rows of signal, start and end; ``prices`` rows of signal, start, seconds and prices; ``municipality``,
    with ``annexed`` rows of a later day and the municipality from it on; ``attributes``, ``is_final`` and
    ``most_left_out``.

    Raises:
        MisuseError: the file cannot be read, with the place.
    """
    if path is None:
        return [NO_TERMS] * len(spans)
    document = _object(path)
    unknown = sorted(str(k)[:40] for k in set(document) - _KEYS)
    if unknown:
        raise MisuseError(f"{path.name}: {unknown[0]!r} is not one of {sorted(_KEYS)}")
    try:
        terms = parse_terms(document)
        fault = fault_of(terms)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise MisuseError(f"{path.name}: a value has another shape than terms have: {str(error)[:120]!a}") from error
    if fault:
        raise MisuseError(f"{path.name}: {fault}")
    usual = replace(terms, is_final=False)
    return [usual] * (len(spans) - 1) + [terms]


def load_carried(path: Path | None) -> Carried:
    """Return what an earlier bill carried: the ``carried`` of a bill's document, or that document alone.

    Raises:
        MisuseError: the file cannot be read.
        UsageError: a value has another shape.
    """
    if path is None:
        return Carried()
    document = _object(path)
    return parse_carried(document.get("carried", document))


def load_values(path: Path | None, schedule: RateSchedule) -> RateSchedule:
    """Return the rate with the values of a file for it; the file may hold other rates' too.

    Raises:
        TariffError: a clause of the file cannot be read, or the rate has no such charge.
    """
    if path is None:
        return schedule
    try:
        rows = parse_values(octets_of(path))
        mine = [replace(row, rates=frozenset({schedule.code})) for row in rows if schedule.code in row.rates]
        return with_values({schedule.code: schedule}, mine)[schedule.code]
    except TariffError as error:
        raise TariffError(f"{path.name}: {error.clause}", error.reason) from error


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(octets_of(path))
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"{path.name}: not JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise MisuseError(f"{path.name}: one JSON object is needed")
    return cast("dict[str, Any]", found)
