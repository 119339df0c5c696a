"""Follow a kept bill to its days, findings and raw readings: what the meter data room still knows of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import numpy as np

from openami.billing.bill.making import fleet_usage
from openami.billing.bill.record import Bill, KeptLine
from openami.billing.proof.lines import Priced, priced, prove_lines
from openami.billing.proof.record import DayProof, FindingProof, LineProof, ReadingProof
from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.determinant import determinants
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.usage import Usage
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.contracts.day import DayVersion
from openami.contracts.quality import Method, QualityState
from openami.kernel.time import instant_from_epoch_s, local_day, zone_named
from openami.mdm.api import DayFinding, MeterData, RawOrigin
from openami.security.access.scope import Scope

_MEASURED = [QualityState.ACTUAL, QualityState.VERIFIED, QualityState.OUTAGE_ZERO]


@dataclass(frozen=True, slots=True)
class BillProof:
    """A bill down to its days.

    Args:
        lines: each line's.
        days: versions of the days that were billed.
        findings: what validation said of them.
        ends: where the proof ends and why, each a sentence.
    """

    lines: tuple[LineProof, ...]
    days: tuple[DayProof, ...]
    findings: tuple[FindingProof, ...]
    ends: tuple[str, ...]


async def proof_of(meters: MeterData, schedule: RateSchedule, scope: Scope, bill: Bill) -> BillProof:
    """Return the proof of a kept bill, from what was known when it was made.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
        TariffError: the rate cannot price the bill's days any more.
    """
    point, span = bill.service_point_id, bill.span
    zone = zone_named(bill.zone)
    usages = await fleet_usage(meters, scope, [point], span, known_at=bill.made_at)
    lines: tuple[LineProof, ...] = ()
    ends = []
    if usages and bill.lines:
        received = usages[0].received
        usage = Usage(
            usages[0].start_s, np.maximum(usages[0].wh[0], 0), usages[0].interval_s,
            usages[0].quality[0] == QualityState.ESTIMATED, None if received is None else np.maximum(received[0], 0),
        )  # fmt: skip
        found = determinants(schedule, usage, [span], zone, bill.terms)[0]
        intervals = priced(schedule, usage, span, zone, bill.terms)
        lines = prove_lines(schedule, [line_of(k, schedule) for k in bill.lines], found, intervals)
    elif bill.lines:
        ends.append("The intervals of this bill are no longer kept: its lines stand on the determinants they print.")
    table = await meters.days(scope, [point], Channel.DELIVERED, span.first, span.last, as_known_at=bill.made_at)
    newest = await meters.days(scope, [point], Channel.DELIVERED, span.first, span.last)
    latest = {row.local_day: row.version for row in newest.rows()}
    findings = await meters.findings(scope, {point}, span.first, span.last)
    return BillProof(
        lines,
        tuple(_day(row, latest.get(row.local_day, row.version)) for row in table.rows()),
        tuple(_finding(f) for f in findings if f.channel in {Channel.DELIVERED, Channel.RECEIVED}),
        tuple(ends),
    )


def line_of(kept: KeptLine, schedule: RateSchedule) -> BillLine:
    """Return a kept line as the engine made it: its version is read off its clause."""
    clause, days = kept.evidence.get("clause"), kept.evidence.get("days")
    path = clause if isinstance(clause, str) else ""
    head = path.removeprefix("versions[").partition("]")[0]
    version = int(head) if path.startswith("versions[") and head.isdecimal() else len(schedule.versions) - 1
    return BillLine(
        LineKind(kept.kind), kept.name, kept.period, kept.tier, kept.quantity, kept.unit, kept.price,
        kept.exact_amount, version, path, days if isinstance(days, int) else None,
    )  # fmt: skip


def _day(row: DayVersion, latest: int) -> DayProof:
    states = Counter(row.quality.tolist())
    return DayProof(
        row.local_day, row.version, row.known_at, row.run_id, int(row.values.sum()), len(row.values),
        sum(states[s] for s in _MEASURED), states[QualityState.ESTIMATED], latest,
    )  # fmt: skip


def _finding(found: DayFinding) -> FindingProof:
    words = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in found.evidence.items())
    period = found.period
    return FindingProof(
        found.local_day, found.version, found.rule, found.severity.value, period.start, period.end, words
    )


async def readings_of(
    meters: MeterData, schedule: RateSchedule, scope: Scope, bill: Bill, day: date
) -> tuple[ReadingProof, ...]:
    """Return the raw reading behind each interval of one billed day.

    Raises:
        As :func:`proof_of`.
    """
    point, zone = bill.service_point_id, zone_named(bill.zone)
    table = await meters.days(scope, [point], Channel.DELIVERED, day, day, as_known_at=bill.made_at)
    version = next(iter(table.rows()), None)
    if version is None or not bill.span.first <= day < bill.span.end:
        return ()
    origins = await meters.origins(scope, point, Channel.DELIVERED, local_day(day, zone), as_known_at=version.known_at)
    start = np.arange(len(version.values), dtype=np.int64) * version.interval_s + int(version.start_utc.timestamp())
    usage = Usage(start, np.maximum(version.values, 0), version.interval_s)
    names = _names(schedule, priced(schedule, usage, bill.span, zone, bill.terms))
    by_start = {o.start: o for o in origins}
    return tuple(
        _reading(version, at, names.get(second, ""), by_start.get(instant_from_epoch_s(second)))
        for at, second in enumerate(start.tolist())
    )


def _names(schedule: RateSchedule, intervals: Priced) -> dict[int, str]:
    found = {}
    for second, key in zip(intervals.usage.start_s.tolist(), intervals.keys.tolist(), strict=True):
        version, period = divmod(key, KEY_STRIDE)
        found[second] = schedule.versions[version].periods[period].name
    return found


def _reading(version: DayVersion, at: int, price_period: str, origin: RawOrigin | None) -> ReadingProof:
    start = instant_from_epoch_s(int(version.start_utc.timestamp()) + at * version.interval_s)
    quality, method = QualityState(int(version.quality[at])), Method(int(version.method[at]))
    value = int(version.values[at])
    if origin is None:
        return ReadingProof(
            start, value, quality.name.lower(), method.name.lower(), price_period, "", None, "none", None, None, None
        )
    return ReadingProof(
        start, value, quality.name.lower(), method.name.lower(), price_period, origin.meter,
        origin.value * origin.multiplier, origin.source.name.lower(), origin.message_id, origin.generation,
        origin.counter,
    )  # fmt: skip
