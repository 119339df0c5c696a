"""Turn an imported file into what the registry and the store keep: virtual meters, installations, reading rows.

Ids come from the file's content and the meter's name in it, so the same file again is the same meter again and no row
counts twice. They tell nothing about a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

import numpy as np

from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import ImportedFile, ImportedRegister, ImportedSeries
from openami.mdm.registry.records import Installation, Meter, ServicePoint

_FILES = UUID("0b9f5f0e-5a0e-4e0c-8a3c-7f1f7f6f0c55")
MAX_POWER_W = 10_000_000
"""A file may speak of a factory: the meter's own limit is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMeter:
    """One meter of a file, ready to be attached.

    Args:
        service_point, meter, installation: registry rows.
        readings: its rows.
        token: names the batch, so a repeat is dropped.
        left_aside: intervals of another length than the meter's: one meter captures one length.
        registers: its register reads.
    """

    service_point: ServicePoint
    meter: Meter
    installation: Installation
    readings: ReadingBatch
    token: str
    left_aside: int
    registers: RegisterBatch


def place_file(
    found: ImportedFile,
    octets: bytes,
    *,
    zone: str,
    now: datetime,
    service_point_id: UUID | None = None,
) -> list[PlacedMeter]:
    """Return one placed meter for each meter of a file.

    Args:
        found: the parsed file.
        octets: the same file's octets: they name it.
        zone: IANA zone of the service point's local days.
        now: domain time of entry.
        service_point_id: where to hang it; None makes a new service point.

    Raises:
        FileRefusedError: no series can be imported, or several meters would hang at one service point.
    """
    groups: dict[str, list[ImportedSeries]] = {}
    for series in found.series:
        if len(series.start_s):
            groups.setdefault(_meter_name(found, series), []).append(series)
    if not groups:
        raise FileRefusedError(0, "holds no interval of electric energy")
    if service_point_id is not None and len(groups) > 1:
        raise FileRefusedError(0, f"holds {len(groups)} meters: one service point takes one")
    digest = sha256(octets).digest()
    return [
        _placed(
            name,
            group,
            [r for r in found.registers if r.name == name],
            digest,
            zone=zone,
            now=now,
            service_point_id=service_point_id,
        )
        for name, group in groups.items()
    ]


def _meter_name(found: ImportedFile, series: ImportedSeries) -> str:
    """NEM12 names a register of a meter; delivered and received registers belong together."""
    if found.format == "nem12":
        return series.name.partition(" ")[0]
    return "" if found.format == "greenbutton" else series.name


def _placed(
    name: str,
    group: Sequence[ImportedSeries],
    registers: Sequence[ImportedRegister],
    digest: bytes,
    *,
    zone: str,
    now: datetime,
    service_point_id: UUID | None,
) -> PlacedMeter:
    interval_s = max(group, key=lambda s: len(s.start_s)).interval_s
    chosen = [s for s in group if s.interval_s == interval_s]
    if len({s.channel for s in chosen}) != len(chosen):
        raise FileRefusedError(chosen[-1].first_line, "a second series of one channel: import one meter at a time")
    key = f"{digest.hex()}/{name}"
    place = service_point_id or uuid5(_FILES, f"{key}/point")
    meter_id = uuid5(_FILES, f"{key}/meter/{place}")
    first = min(int(s.start_s[0]) for s in chosen)
    last = max(int(s.start_s[-1]) for s in chosen) + interval_s
    return PlacedMeter(
        ServicePoint(place, zone, now),
        Meter(
            meter_id, f"FILE-{meter_id.hex[:12]}", now, profile="file", interval_s=interval_s,
            channels=tuple(s.channel for s in chosen), max_power_w=MAX_POWER_W, is_virtual=True,
        ),
        Installation(
            uuid5(_FILES, f"{key}/installation/{place}"), place, meter_id, instant_from_epoch_s(first),
            instant_from_epoch_s(last), _multiplier(chosen, registers),
        ),
        _rows(meter_id, chosen, int.from_bytes(digest[:8], "big")),
        f"file-{digest.hex()[:32]}-{meter_id.hex[:8]}",
        sum(len(s.start_s) for s in group if s.interval_s != interval_s),
        _register_rows(meter_id, registers, int.from_bytes(digest[:8], "big")),
    )  # fmt: skip


def _multiplier(chosen: Sequence[ImportedSeries], registers: Sequence[ImportedRegister]) -> int:
    """Return the one multiplier of a meter's rows: its installation's, which validation applies once."""
    rows: tuple[ImportedSeries | ImportedRegister, ...] = (*chosen, *registers)
    said = {(s.multiplier, s.multiplier_applied) for s in rows}
    if len({m for m, _ in said}) > 1:
        raise FileRefusedError(chosen[-1].first_line, f"one meter with multipliers {sorted(m for m, _ in said)}")
    if len(said) > 1 and registers and {m for m, _ in said} != {1}:
        raise FileRefusedError(chosen[-1].first_line, "the multiplier is in its intervals and not in its registers")
    return said.pop()[0]


def _register_rows(meter_id: UUID, registers: Sequence[ImportedRegister], message_id: int) -> RegisterBatch:
    count = sum(len(r.at_s) for r in registers)
    if not count:
        return RegisterBatch.empty()
    return RegisterBatch(
        meter_id=uuid_column([meter_id] * count),
        channel=np.concatenate([np.full(len(r.at_s), r.channel, np.uint8) for r in registers]),
        at=np.concatenate([r.at_s for r in registers]),
        value=np.concatenate([r.value for r in registers]),
        source=np.full(count, Source.FILE, np.uint8),
        message_id=np.full(count, message_id, np.uint64),
    )


def _rows(meter_id: UUID, chosen: Sequence[ImportedSeries], message_id: int) -> ReadingBatch:
    count = sum(len(s.start_s) for s in chosen)
    return ReadingBatch(
        meter_id=uuid_column([meter_id] * count),
        channel=np.concatenate([np.full(len(s.start_s), s.channel, np.uint8) for s in chosen]),
        start=np.concatenate([s.start_s for s in chosen]),
        interval_s=np.full(count, chosen[0].interval_s, np.uint32),
        value=np.concatenate([s.value for s in chosen]),
        quality=np.concatenate([s.quality for s in chosen]),
        source=np.full(count, Source.FILE, np.uint8),
        message_id=np.full(count, message_id, np.uint64),
    )
