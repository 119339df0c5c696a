"""Figures of the staff pages, from the head-end's tables, the registry, the store and the supervisor's status."""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.web.letters import Letters
from openami.contracts.channel import Channel
from openami.headend.api import HeadendStatus, LastFrame
from openami.headend.ports import StateUnavailableError
from openami.kernel.clock import Clock
from openami.kernel.time import Period, epoch_s
from openami.mdm.api import Installation, InstalledMeter, Meter, MeterData, RegistryError, UnknownRecordError
from openami.mdm.ports import LastReading, MeterSpan
from openami.network.gateway.quarantine import QuarantineError
from openami.portal.ports import MeterFacts, RefusedError, SourceUnavailableError
from openami.portal.views.staff import (
    AttachedView,
    CompletenessView,
    DeadLettersView,
    FrameView,
    InstallationView,
    ProcessView,
    ReasonCountView,
    ServicePointHitView,
    UnassignedMeterView,
)
from openami.security.access.scope import Purpose, system_scope

HOUR = timedelta(hours=1)
RATE_WINDOW_S = 60.0
KEYED_LIMIT = 100_000
HEARD_LIMIT = 10_000
_SCOPE = system_scope(process="web", purpose=Purpose.OPERATIONS)


P = ParamSpec("P")
R = TypeVar("R")


def answering(work: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a method say "unavailable" when a database or the head-end's state does not answer."""

    @wraps(work)
    async def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except (DBAPIError, StateUnavailableError, QuarantineError) as error:
            raise SourceUnavailableError(f"the figures do not answer: {type(error).__name__}") from error

    return asked


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the key vault names it, without its keys."""

    meter_id: UUID
    system_title: str
    serial: str
    profile: str


@dataclass(slots=True)
class Operations:
    """Implements :class:`~openami.portal.ports.OperationsView`.

    Args:
        headend: what head-ends have written.
        letters: what was refused, by head-ends and by the gateway.
        data: registry and store.
        devices: connected as ``openami_portal``: names of devices, never keys.
        status_file: the supervisor's.
        real, domain: the two clocks.
    """

    headend: HeadendStatus
    letters: Letters
    data: MeterData
    devices: AsyncEngine
    status_file: Path
    real: Clock
    domain: Clock
    _samples: deque[tuple[datetime, int]] = field(default_factory=deque)

    @answering
    async def completeness(self, period: Period) -> CompletenessView:
        """Return expected and received intervals by cell and hour, up to now."""
        until = min(period.end, self.domain.now())
        hours = [period.start + HOUR * h for h in range(period.duration_s // 3600)]
        cells: dict[str, list[tuple[MeterSpan, int]]] = defaultdict(list)
        if until <= period.start:
            return CompletenessView(hour=[epoch_s(h) for h in hours], cell=[], expected=[], received=[])
        asked = Period(period.start, until)
        installed = await self._registry_installed(asked)
        points = {p.id: p.cell for p in await self.data.registry.service_points(None)}
        for one in installed:
            if one.meter.is_virtual:
                continue
            i = one.installation
            span = Period(i.start, i.end or until).intersection(asked) if i.start < until else None
            if span is not None:
                cell = points.get(i.service_point_id) or "no cell"
                cells[cell].append((MeterSpan(i.service_point_id, i.meter_id, span), one.meter.interval_s))
        expected, received = [], []
        for _, spans in sorted(cells.items()):
            came = await self.data.store.completeness(_SCOPE, [s for s, _ in spans], Channel.DELIVERED, asked)
            received.append([came.get(h, 0) for h in hours])
            expected.append(_due([s.period for s, _ in spans], [length_s for _, length_s in spans], hours))
        return CompletenessView(
            hour=[epoch_s(h) for h in hours], cell=sorted(cells), expected=expected, received=received
        )

    @answering
    async def frames(self, limit: int) -> list[FrameView]:
        """Return the newest accepted frames, one a meter."""
        found = await self.headend.last_frames(limit)
        names = await self._named([f.meter_id for f in found])
        return [_frame(f, names) for f in found]

    @answering
    async def sample(self) -> None:
        """Note the count of accepted frames: called every few seconds of real time."""
        now = self.real.now()
        counts = await self.headend.counts(now=now)
        self._samples.append((now, counts.accepted))
        while (now - self._samples[0][0]).total_seconds() > RATE_WINDOW_S:
            self._samples.popleft()

    @answering
    async def frame_rate(self) -> tuple[float, int]:
        """Return accepted frames per real second over the last minute, and all so far."""
        await self.sample()
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        seconds = (ended - began).total_seconds()
        return (round((last - first) / seconds, 2) if seconds > 0 else 0.0), last

    @answering
    async def dead_letter_counts(self) -> list[ReasonCountView]:
        """Return frames refused at either door, by reason."""
        return await self.letters.counts()

    @answering
    async def dead_letters(
        self, *, limit: int, before: str | None = None, system_title: str | None = None
    ) -> DeadLettersView:
        """Return frames refused at either door, newest first."""
        return await self.letters.page(limit=limit, before=before, system_title=system_title)

    @answering
    async def release_counter(self, letter_id: str, *, by: UUID, reason: str) -> None:
        """Believe the counter of a held frame."""
        if not await self.headend.release_counter(letter_id, by=by, at=self.real.now(), reason=reason):
            raise RefusedError("This frame is not held for its counter, or somebody has released it already.")

    @answering
    async def unassigned(self, limit: int) -> list[UnassignedMeterView]:
        """Return meters with keys and no installation: those that were heard first."""
        devices = await self._named(None)
        loose = set(await self.data.registry.meters_unassigned(list(devices)))
        if not loose:
            return []
        now = self.domain.now()
        newest = {
            r.meter_id: r for r in await self.data.unassigned(_SCOPE, Period(now - timedelta(days=45), now + HOUR))
        }
        heard = {f.meter_id: f for f in await self.headend.last_frames(HEARD_LIMIT)}
        views = [_unassigned(devices[m], heard.get(m), newest.get(m)) for m in loose]
        return sorted(views, key=lambda v: (-(v.last_seen or 0), v.system_title))[:limit]

    @answering
    async def meters_installed(self) -> int:
        """Return how many meters hang at a service point now."""
        now = self.domain.now()
        return len(await self._registry_installed(Period(now, now + timedelta(seconds=1))))

    @answering
    async def meter(self, meter_id: UUID) -> MeterFacts | None:
        """Return what is known of one meter."""
        device = (await self._named([meter_id])).get(meter_id)
        try:
            record = await self.data.registry.meter(meter_id)
        except UnknownRecordError:
            record = None
        if device is None and record is None:
            return None
        whole = Period(self.domain.now() - timedelta(days=36_500), self.domain.now() + timedelta(days=1))
        installed = await self.data.registry.installed(None, whole, meters=[meter_id])
        frame = await self.headend.last_frame_of(meter_id)
        title = device.system_title if device else (record.system_title or b"").hex() if record else ""
        return MeterFacts(
            meter_id=meter_id,
            system_title=title,
            serial=device.serial if device else record.serial if record else None,
            profile=device.profile if device else record.profile if record else "",
            installations=tuple(
                InstallationView(
                    service_point_id=i.installation.service_point_id,
                    start=epoch_s(i.installation.start),
                    end=epoch_s(i.installation.end) if i.installation.end else None,
                )
                for i in installed
            ),
            last_frame=_frame(frame, {meter_id: device} if device else {}) if frame else None,
            last_reading_at=await self._last_reading(meter_id),
        )

    @answering
    async def search(self, wanted: str, *, limit: int) -> list[ServicePointHitView]:
        """Find service points by the start of an id, cell, transformer, serial or system title."""
        start = _bare(wanted)
        if not start:
            return []
        now = self.domain.now()
        hung = {
            i.installation.service_point_id: i.meter
            for i in await self._registry_installed(Period(now, now + timedelta(seconds=1)))
        }
        hits = []
        for point in await self.data.registry.service_points(None):
            meter = hung.get(point.id)
            words = [point.id.hex, point.cell, point.transformer, point.feeder]
            words += [meter.serial, (meter.system_title or b"").hex(), meter.id.hex] if meter else []
            if any(_bare(w).startswith(start) for w in words):
                hits.append(_hit(point.id, point.cell, point.transformer, point.feeder, meter))
            if len(hits) == limit:
                break
        return hits

    @answering
    async def attach(self, *, meter_id: UUID, service_point_id: UUID, installed_at: datetime) -> AttachedView:
        """Install a meter that has keys at a service point."""
        device = (await self._named([meter_id])).get(meter_id)
        now = self.domain.now()
        try:
            if device is not None:
                title = bytes.fromhex(device.system_title)
                meter = Meter(meter_id, device.serial, now, system_title=title, profile=device.profile)
                await self.data.registry.add_meters([meter])
            affected = await self.data.registry.install(
                [Installation(uuid4(), service_point_id, meter_id, installed_at)], at=now
            )
        except RegistryError as error:
            raise RefusedError(str(error)) from error
        return AttachedView(
            meter_id=meter_id,
            service_point_id=service_point_id,
            installed_at=epoch_s(installed_at),
            first_affected_day=min((a.first for a in affected), default=None),
            affected_days=sum((a.last - a.first).days + 1 for a in affected),
        )

    async def processes(self) -> list[ProcessView]:
        """Return the supervisor's children; none where nothing supervises us."""
        try:
            rows = json.loads(self.status_file.read_text())["processes"]
            now_s = epoch_s(self.real.now())
            return [
                ProcessView(
                    name=r["name"],
                    state="ready" if r["serves"] else "starting" if r["pid"] else "stopped",
                    restarts=r["restarts"],
                    since=now_s - int(r["uptime_s"]) if r["pid"] else None,
                )
                for r in rows
            ]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceUnavailableError("the supervisor's status cannot be read") from error

    async def _registry_installed(self, period: Period) -> list[InstalledMeter]:
        return await self.data.registry.installed(None, period)

    async def _last_reading(self, meter_id: UUID) -> datetime | None:
        now = self.domain.now()
        whole = Period(now - timedelta(days=45), now + HOUR)
        spans = [MeterSpan(meter_id, meter_id, whole)]
        newest = await self.data.store.last_readings(_SCOPE, spans, whole)
        return newest[meter_id].start if meter_id in newest else None

    async def _named(self, meters: Sequence[UUID] | None) -> dict[UUID, Device]:
        """Return devices that have keys by meter: these, or all."""
        async with self.devices.begin() as connection:
            if meters is None:
                rows = (await connection.execute(_DEVICES, {"limit": KEYED_LIMIT})).all()
            else:
                rows = (await connection.execute(_SOME, {"meters": list(meters)})).all()
        return {r.meter_id: Device(r.meter_id, bytes(r.system_title).hex(), r.serial, r.profile) for r in rows}


def _bare(word: str) -> str:
    """Return letters and digits alone: an id with dashes finds the id without."""
    return re.sub(r"[^0-9a-z]", "", word.lower())


def _due(spans: Sequence[Period], length_s: Sequence[int], hours: Sequence[datetime]) -> list[int]:
    """Return, for each hour, how many whole intervals the spans hold in it."""
    starts = np.array([p.start_s for p in spans], dtype=np.int64)
    ends = np.array([p.end_s for p in spans], dtype=np.int64)
    lengths = np.array(length_s, dtype=np.int64)
    due = []
    for hour in (epoch_s(h) for h in hours):
        held_s = np.minimum(ends, hour + 3600) - np.maximum(starts, hour)
        due.append(int((np.clip(held_s, 0, None) // lengths).sum()))
    return due


def _frame(found: LastFrame, names: Mapping[UUID, Device]) -> FrameView:
    return FrameView(
        meter_id=found.meter_id,
        system_title=names[found.meter_id].system_title if found.meter_id in names else "",
        collected_at=epoch_s(found.collected_at),
        invocation_counter=found.invocation_counter,
        frames=found.frames,
    )


def _unassigned(device: Device, frame: LastFrame | None, newest: LastReading | None) -> UnassignedMeterView:
    return UnassignedMeterView(
        meter_id=device.meter_id,
        system_title=device.system_title,
        serial=device.serial,
        first_seen=epoch_s(newest.first) if newest else None,
        last_seen=epoch_s(newest.start) if newest else None,
        frames=frame.frames if frame else 0,
    )


def _hit(place: UUID, cell: str, transformer: str, feeder: str, meter: Meter | None) -> ServicePointHitView:
    return ServicePointHitView(
        service_point_id=place,
        cell=cell or None,
        transformer=transformer or None,
        feeder=feeder or None,
        meter_id=meter.id if meter else None,
        system_title=meter.system_title.hex() if meter and meter.system_title else None,
    )


_DEVICES = text("select meter_id, system_title, serial, profile from security.key_holder limit :limit")
_SOME = text("select meter_id, system_title, serial, profile from security.key_holder where meter_id = any(:meters)")
