"""The console: what is wrong now, the lists behind each number, and one meter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Query

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s
from openami.portal.door import PortsOf, SessionOf, open_gate
from openami.portal.problem import bad_request, not_found
from openami.portal.routes import ERRORS, policy
from openami.portal.views.staff import (
    AttachedView,
    AttachMeter,
    CompletenessView,
    DeadLettersView,
    MeterView,
    NowView,
    ReleaseCounter,
    ServicePointHitsView,
    UnassignedView,
)
from openami.security.access.policy import Action, Kind

router = APIRouter(prefix="/staff", tags=["staff"])
PART_TIMEOUT_S = 5.0
"""The page shows what answers within this time and names what does not."""
Part = TypeVar("Part")
_NO_CELLS = CompletenessView(hour=[], cell=[], expected=[], received=[])


@router.get("/now", responses=ERRORS, openapi_extra=policy(Kind.OPERATIONS))
async def now(session: SessionOf, ports: PortsOf) -> NowView:
    """Return read completeness of the last 24 hours by cell, frames, refused frames, worklists and processes."""
    await open_gate(ports, session, query="staff_now", kind=Kind.OPERATIONS)
    domain_now = ports.domain.now()
    last_hour = domain_now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    operations = ports.operations
    missing: list[str] = []
    day = Period(last_hour - timedelta(hours=24), last_hour)
    completeness, frames, rate, letters = await asyncio.gather(
        _part("completeness", missing, operations.completeness(day), _NO_CELLS),
        _part("frames", missing, operations.frames(20), ()),
        _part("frame rate", missing, operations.frame_rate(), (0.0, 0)),
        _part("dead letters", missing, operations.dead_letter_counts(), ()),
    )
    waiting, installed, processes = await asyncio.gather(
        _part("unassigned meters", missing, operations.unassigned(1000), ()),
        _part("meters", missing, operations.meters_installed(), 0),
        _part("processes", missing, operations.processes(), ()),
    )
    return NowView(
        domain_now=epoch_s(domain_now),
        real_now=epoch_s(ports.real.now()),
        completeness=completeness,
        frames_per_s=rate[0],
        frames_total=rate[1],
        last_frames=list(frames),
        dead_letters=list(letters),
        dead_letters_total=sum(r.count for r in letters),
        unassigned=len(waiting),
        meters_installed=installed,
        processes=list(processes),
        unavailable=sorted(missing),
    )


@router.get("/dead-letters", responses=ERRORS, openapi_extra=policy(Kind.DEAD_LETTERS))
async def dead_letters(
    session: SessionOf,
    ports: PortsOf,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> DeadLettersView:
    """Return refused frames with the reason, newest first."""
    await open_gate(ports, session, query="dead_letters", kind=Kind.DEAD_LETTERS)
    return await ports.operations.dead_letters(limit=limit, before=before)


@router.post(
    "/dead-letters/{letter_id}/release",
    status_code=204,
    responses=ERRORS,
    openapi_extra=policy(Kind.DEAD_LETTERS, Action.CHANGE),
)
async def release_counter(
    letter_id: Annotated[str, Path(max_length=40)], body: ReleaseCounter, session: SessionOf, ports: PortsOf
) -> None:
    """Believe the counter of a frame that was held because it jumped: its meter is heard again from there on."""
    await open_gate(
        ports, session, query="release_counter", kind=Kind.DEAD_LETTERS, action=Action.CHANGE,
        note=f"letter {letter_id}: {body.reason}",
    )  # fmt: skip
    await ports.operations.release_counter(letter_id, by=session.principal.user_id, reason=body.reason)


@router.get("/unassigned", responses=ERRORS, openapi_extra=policy(Kind.METER))
async def unassigned(session: SessionOf, ports: PortsOf) -> UnassignedView:
    """Return meters that have keys but hang nowhere yet."""
    await open_gate(ports, session, query="unassigned", kind=Kind.METER)
    return UnassignedView(meters=list(await ports.operations.unassigned(1000)))


@router.get("/meters/{meter_id}", responses=ERRORS, openapi_extra=policy(Kind.METER))
async def meter(meter_id: UUID, session: SessionOf, ports: PortsOf) -> MeterView:
    """Return what is going on with one meter; its readings are a separate, logged look."""
    await open_gate(ports, session, query="meter", kind=Kind.METER)
    facts = await ports.operations.meter(meter_id)
    if facts is None:
        raise not_found("meter")
    refused = await ports.operations.dead_letters(limit=20, system_title=facts.system_title)
    return MeterView(
        meter_id=facts.meter_id,
        system_title=facts.system_title,
        serial=facts.serial,
        profile=facts.profile,
        installations=list(facts.installations),
        last_frame=facts.last_frame,
        last_reading_at=epoch_s(facts.last_reading_at) if facts.last_reading_at else None,
        dead_letters=refused.letters,
    )


@router.get("/service-points", responses=ERRORS, openapi_extra=policy(Kind.METER))
async def search(
    session: SessionOf, ports: PortsOf, q: Annotated[str, Query(min_length=1, max_length=64)]
) -> ServicePointHitsView:
    """Find service points by the start of an id, cell, transformer, serial or system title."""
    await open_gate(ports, session, query="search", kind=Kind.METER)
    return ServicePointHitsView(hits=list(await ports.operations.search(q, limit=50)))


@router.post(
    "/installations", status_code=201, responses=ERRORS, openapi_extra=policy(Kind.INSTALLATION, Action.CHANGE)
)
async def attach(body: AttachMeter, session: SessionOf, ports: PortsOf) -> AttachedView:
    """Attach a meter to a service point, back to its installation time; affected days are validated again."""
    await open_gate(
        ports, session, query="attach_meter", kind=Kind.INSTALLATION, action=Action.CHANGE,
        note=f"meter {body.meter_id} to service point {body.service_point_id}: {body.reason}",
    )  # fmt: skip
    now_s = epoch_s(ports.domain.now())
    if not 0 < body.installed_at <= now_s:
        raise bad_request("The installation time lies in the future.", "Give the time at which the meter was hung.")
    return await ports.operations.attach(
        meter_id=body.meter_id,
        service_point_id=body.service_point_id,
        installed_at=instant_from_epoch_s(body.installed_at),
    )


async def _part(name: str, missing: list[str], work: Awaitable[Part], instead: Part) -> Part:
    """Wait for one part of the page; name it as missing rather than fail the page."""
    try:
        return await asyncio.wait_for(work, PART_TIMEOUT_S)
    except (OpenAmiError, TimeoutError):
        missing.append(name)
        return instead
