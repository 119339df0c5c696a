"""Find what a rate says of itself at a clause: version, first day, provenance, confidence."""

from __future__ import annotations

import re
from datetime import date

from openami.billing.proof.record import ClauseProof
from openami.billing.tariff.charge import DatedCharge
from openami.billing.tariff.model import RateSchedule, Tariff

_DATED = re.compile(r"\.(riders|taxes|credits)\[(?P<code>.*?)\]\.values\[(?P<index>\d+)\]$")
_WORDS = {"periods": ("prices",), "fixed": ("fixed",), "demand": ("demand prices", "demand"), "minimum": ("minimum",)}


def clause_of(schedule: RateSchedule, path: str, version: int) -> ClauseProof:
    """Return what stands at a clause of a rate.

    Args:
        schedule: the rate.
        path: into its file; empty where a line keeps none.
        version: index of the version.
    """
    if not 0 <= version < len(schedule.versions):
        return ClauseProof(path, version, "", None, {}, {})
    tariff = schedule.versions[version]
    found = _DATED.search(path)
    if found:
        dated = _dated(tariff, found["code"], int(found["index"]))
        if dated is not None:
            return ClauseProof(path, version, tariff.label, *dated)
    part = path.partition(".")[2].partition("[")[0].partition(".")[0]
    keys = _WORDS.get(part, (part,))
    sure = {k: w for k, w in tariff.confidence.items() if k in keys}
    whole = dict(tariff.provenance)
    return ClauseProof(path, version, tariff.label, tariff.effective_from, whole, sure or dict(tariff.confidence))


def _dated(tariff: Tariff, code: str, index: int) -> tuple[date | None, dict[str, str], dict[str, str]] | None:
    charges: tuple[DatedCharge, ...] = (*tariff.riders, *tariff.taxes, *tariff.credits)
    for charge in charges:
        if charge.code == code and index < len(charge.values):
            value = charge.values[index]
            source = {"value": value.provenance} if value.provenance else {}
            return value.effective_from, source, {"value": value.confidence} if value.confidence else {}
    return None
