"""Load the demonstration's history: registry rows, midnight register reads, and 13 months of intervals, newest first.

It works in a child that exits. Every step may be repeated after a kill: ids and keys are made once and kept, batches
carry a token, and the progress file says which stretches of days are in. The missing data of the fault plan are
simply absent, and the newest days of twenty meters are left for the territory to send as sealed frames.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4, uuid5

from openami.app.settings import Settings
from openami.app.territory.territory_files import Standing, TerritoryFiles
from openami.contracts.channel import Channel
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.weather.record import DayTemperature
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, CaptureRule, RegisterBank, carry_remainder
from openami.protocol.push import PROFILE
from openami.security.closed_file import write_closed
from openami.security.suites.curve import public_key_of
from openami.sim.factory import MAKER, FactoryMeter, make_meters, sealed_shipment, shipment_document
from openami.sim.history import Archive, Story, days_between, tell_story
from openami.sim.plan import DemoPlan, make_plan
from openami.sim.territory import Territory
from openami.sim.world.weather import day_extremes_dc

PROGRESS_FILE = "history.json"
SHIPMENT_FILE = "territory.shipment"
STRETCH_DAYS = (5, 31)
"""Fewest and most days in one batch."""
STRETCH_HOME_DAYS = 5_000
"""Home-days in one batch: about a million rows."""
USABLE_DAYS = 35
"""With this much in, charts and the present bill have what they need."""
_STORY_SHARE = 0.15
MIN_HOMES_FOR_FAULTS = 100
APPROVED_W = 10_000
"""Up to which power a home with solar may feed in."""


@dataclass(frozen=True, slots=True)
class DemoWish:
    """What ``openami demo`` was asked for, from ``<home>/demo.json``."""

    homes: int
    days: int
    seed: int

    @classmethod
    def read(cls, home: Path) -> DemoWish:
        """Return the wish of a home; the defaults where none was written."""
        try:
            row = json.loads((home / "demo.json").read_text())
        except FileNotFoundError:
            row = {}
        return cls(int(row.get("homes", 1000)), int(row.get("days", 396)), int(row.get("seed", 1)))


class Hooks(Protocol):
    """What the wiring adds: the vault, rates and customers."""

    async def agree_with_maker(self, maker: str, public_key: bytes) -> bytes:
        """Register the key that a maker signs shipments with; return the key that it encrypts them to."""
        ...

    async def import_shipment(self, place: Path) -> None:
        """Take the keys of a sealed shipment file; a repeat changes nothing."""
        ...

    async def on_service_points(self, service_points: Sequence[ServicePoint]) -> None:
        """Assign rates and customers to the new service points; a repeat changes nothing."""
        ...

    async def on_weather(self, zone: str, days: Sequence[DayTemperature]) -> None:
        """Keep the world's temperatures as a station's, marked as simulated; a repeat changes nothing."""
        ...

    async def on_loaded(self, first: date, last: date) -> None:
        """Hear that the days from first to last are in the store, for all service points."""
        ...


@dataclass(slots=True)
class Progress:
    """How far the loading is, in a file that the command line shows.

    Args:
        place: the file; its keys are ``stage``, ``share`` (0 to 1), ``usable`` and ``done``.
        tell: told the same as it happens.
    """

    place: Path
    tell: Callable[[str, float], None] = lambda _stage, _share: None
    stretches: int = 0
    usable: bool = False

    def resume(self) -> None:
        """Read what a killed predecessor had finished."""
        try:
            row = json.loads(self.place.read_text())
        except (OSError, ValueError):
            return
        self.stretches, self.usable = int(row.get("stretches", 0)), bool(row.get("usable", False))

    def note(self, stage: str, share: float, *, done: bool = False) -> None:
        """Write how far it is."""
        row = {
            "stage": stage, "share": round(share, 4), "usable": self.usable, "done": done, "stretches": self.stretches
        }  # fmt: skip
        write_closed(self.place, json.dumps(row).encode())
        self.tell(stage, share)


def ensure_territory(settings: Settings, wish: DemoWish) -> tuple[TerritoryFiles, DemoPlan, list[FactoryMeter]]:
    """Make the plan and the meters if there are none yet; return them."""
    files = TerritoryFiles(settings.home.folder("territory"))
    if not files.has_plan:
        now = settings.clock().now()
        plan = make_plan(
            seed=wish.seed, homes=wish.homes, days=wish.days, zone=settings.zone, now=now,
            service_points=[uuid4() for _ in range(wish.homes)], silent=silent_of(wish.homes),
        )  # fmt: skip
        meters = make_meters(plan.territory().meter_count, secret=secrets.token_bytes)
        book = shipment_document(meters, shipment_id=f"territory-{secrets.token_hex(4)}", made_at=now)
        files.write_plan(plan, book=book)
    return files, files.plan(), files.book()


def silent_of(homes: int) -> int:
    """Return how many meters of a demonstration measured wrong for a while: a few in a thousand, none in a handful.

    >>> [silent_of(n) for n in (50, 200, 1000)]
    [0, 2, 3]
    """
    return 0 if homes < MIN_HOMES_FOR_FAULTS else 2 + homes // 1000


async def _ship(settings: Settings, files: TerritoryFiles, hooks: Hooks) -> None:
    """Let the territory's factory ship its meters: sealed to the utility, signed by their maker."""
    maker = files.maker(secrets.token_bytes)
    recipient_key = await hooks.agree_with_maker(MAKER, public_key_of(maker.signing_key))
    place = settings.home.folder("shipments") / SHIPMENT_FILE
    octets = sealed_shipment(files.book_text(), maker=maker, recipient_key=recipient_key, dice=secrets.token_bytes)
    write_closed(place, octets)
    # Homes of before have it in clear.
    place.with_name("territory.json").unlink(missing_ok=True)
    await hooks.import_shipment(place)


async def load_history(
    settings: Settings,
    *,
    registry: Registry,
    store: IntervalStore,
    hooks: Hooks,
    stop: asyncio.Event,
    tell: Callable[[str, float], None] = lambda _stage, _share: None,
    capture: CaptureRule = carry_remainder,
) -> bool:
    """Load the history of this home's demonstration, or go on where it was stopped.

    Args:
        settings: of the installation.
        registry: where service points, meters and installations go.
        store: where readings go.
        hooks: vault, rates and customers.
        stop: ends the work between two stretches of days.
        tell: told stage and share as they change.
        capture: how the meters make intervals; another rule is for tests of the checkers.

    Returns:
        True when all of it is in; False when ``stop`` came first.

    Raises:
        StoreError, RegistryError, PowerFlowMissingError: what stopped it; calling it again goes on.
    """
    files, plan, meters = ensure_territory(settings, DemoWish.read(settings.home.path))
    progress = Progress(settings.home.path / PROGRESS_FILE, tell)
    progress.resume()
    territory = plan.territory()
    progress.note("making the world", 0.0)
    await _ship(settings, files, hooks)
    story = await asyncio.to_thread(_tell, territory, plan, progress)
    if not files.is_made:
        files.write_standing(standing_of(plan, story, len(meters)))
    points = service_points_of(plan, territory)
    await _register(registry, plan, territory, story, meters, points)
    await hooks.on_service_points(points)
    await hooks.on_weather(plan.zone, temperatures_of(plan, territory))
    archive = Archive(
        territory, story, uuid_column([m.meter_id for m in meters]), territory.power_flow(), plan.held_back,
        plan.held_back_from_s, capture,
    )  # fmt: skip
    await _write_registers(store, archive, plan)
    return await _write_stretches(store, archive, plan, progress, hooks, stop)


def service_points_of(plan: DemoPlan, territory: Territory) -> list[ServicePoint]:
    """Return the registry's rows of the homes."""
    feeder = territory.feeder
    made_at = instant_from_epoch_s(territory.genesis_s)
    return [
        ServicePoint(
            id=UUID(point),
            zone=plan.zone,
            made_at=made_at,
            transformer=f"T{int(feeder.transformer_of[home]) + 1:03d}",
            feeder="F1",
            cell=f"C{int(feeder.cell_of[home]) + 1}",
            bill_group=home % 21 + 1,
        )
        for home, point in enumerate(plan.service_points)
    ]


def temperatures_of(plan: DemoPlan, territory: Territory) -> list[DayTemperature]:
    """Return the temperatures that the homes of the history felt; the last day, which has not ended, has none."""
    world = territory.world
    days = days_between(plan.first_day, plan.last_day)[:-1]
    return [DayTemperature(day, *day_extremes_dc(world.seed, world.slots(day))) for day in days]


def standing_of(plan: DemoPlan, story: Story, meters: int) -> Standing:
    """Return where the registers stand at the history's end, and where the held-back meters begin to send."""
    back = (plan.held_back_day - plan.first_day).days
    assert meters == len(story.out_wh), "the book and the plan speak of the same meters"
    return Standing(
        plan.history_end_s, story.end.delivered_mj, story.end.received_mj,
        plan.held_back_from_s, story.delivered_mj[back], story.received_mj[back],
    )  # fmt: skip


def _tell(territory: Territory, plan: DemoPlan, progress: Progress) -> Story:
    days = days_between(plan.first_day, plan.last_day)

    def tick(done: int) -> None:
        if done % 20 == 0:
            progress.note("making the world", _STORY_SHARE * done / len(days))

    return tell_story(territory, days, tick=tick)


async def _register(
    registry: Registry,
    plan: DemoPlan,
    territory: Territory,
    story: Story,
    meters: Sequence[FactoryMeter],
    points: Sequence[ServicePoint],
) -> None:
    """Enter what is not there yet; installations are entered once, so a repeat finds them and leaves them."""
    at = instant_from_epoch_s(plan.history_end_s)
    made_at = instant_from_epoch_s(territory.genesis_s)
    await registry.add_service_points(points)
    roofs = [p for p, has_solar in zip(points, territory.world.homes.has_solar.tolist(), strict=True) if has_solar]
    approved = [FactEntry(p.id, FactKind.INTERCONNECTION, str(APPROVED_W), made_at) for p in roofs]
    await registry.facts.enter(approved, at=at, reason="the demonstration's roofs")
    await registry.add_meters(
        [
            Meter(
                id=m.meter_id, serial=m.serial, made_at=made_at, system_title=m.identity.title.octets,
                profile=PROFILE, capacity_wh=DEFAULT_CAPACITY_WH,
            )
            for m in meters
        ]
    )  # fmt: skip
    period = Period(made_at, at + timedelta(seconds=1))
    there = {i.installation.meter_id for i in await registry.installed(None, period)}
    first = territory.registers_at_genesis()
    rows = [
        _installation(territory, story, first, k, m, points[int(territory.home_of[k])].id)
        for k, m in enumerate(meters)
        if m.meter_id not in there
    ]
    if rows:
        await registry.install(rows, at=at)


def _installation(
    territory: Territory, story: Story, first: RegisterBank, k: int, meter: FactoryMeter, point: UUID
) -> Installation:
    removed_s = int(territory.hangs_until_s[k])
    gone = removed_s < territory.history_end_s
    in_reads = {
        Channel.DELIVERED: int(first.delivered_mj[k]) // MJ_PER_WH % DEFAULT_CAPACITY_WH,
        Channel.RECEIVED: int(first.received_mj[k]) // MJ_PER_WH % DEFAULT_CAPACITY_WH,
    }
    out_reads = {Channel.DELIVERED: int(story.out_wh[k]), Channel.RECEIVED: int(story.out_received_wh[k])}
    return Installation(
        id=uuid5(meter.meter_id, "installation"),
        service_point_id=point,
        meter_id=meter.meter_id,
        start=instant_from_epoch_s(int(territory.hangs_from_s[k])),
        end=instant_from_epoch_s(removed_s) if gone else None,
        in_reads=in_reads,
        out_reads=out_reads if gone else {},
    )


async def _write_registers(store: IntervalStore, archive: Archive, plan: DemoPlan) -> None:
    batch: RegisterBatch = await asyncio.to_thread(archive.registers)
    await store.write_registers(batch, token=f"history-{plan.service_points[0]}-registers")


async def _write_stretches(
    store: IntervalStore, archive: Archive, plan: DemoPlan, progress: Progress, hooks: Hooks, stop: asyncio.Event
) -> bool:
    """Write stretch by stretch, newest first; the next one is made while the last one is being written."""
    stretches = _stretches(plan)[progress.stretches :]
    made: Awaitable[ReadingBatch] | None = None
    for k, days in enumerate(stretches):
        if stop.is_set():
            return False
        batch = await (made or asyncio.to_thread(archive.readings, days))
        ahead = stretches[k + 1] if k + 1 < len(stretches) else None
        made = asyncio.create_task(asyncio.to_thread(archive.readings, ahead)) if ahead else None
        await store.write_readings(batch, token=f"history-{plan.service_points[0]}-{days[0]}")
        await hooks.on_loaded(days[0], days[-1])
        progress.stretches += 1
        progress.usable |= progress.stretches * _stretch_days(plan) >= USABLE_DAYS or ahead is None
        done_share = progress.stretches / len(_stretches(plan))
        progress.note(f"loading {days[0]:%b %Y}", _STORY_SHARE + (1 - _STORY_SHARE) * done_share)
    progress.usable = True
    progress.note("history loaded", 1.0, done=True)
    return True


def _stretches(plan: DemoPlan) -> list[list[date]]:
    days = days_between(plan.first_day, plan.last_day)
    length = _stretch_days(plan)
    return [days[max(0, end - length) : end] for end in range(len(days), 0, -length)]


def _stretch_days(plan: DemoPlan) -> int:
    fewest, most = STRETCH_DAYS
    return max(fewest, min(most, STRETCH_HOME_DAYS // plan.homes))
