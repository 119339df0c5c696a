"""``bench compare``: one customer's comparison of five rates on twelve months of quarter-hours, from the store process.

Homes are made: two humps a day, appliances, one day in a hundred with an estimated stretch, both clock changes. Each
call asks of a home that was not asked of just before. What is timed is what the customer's page waits for behind the
gate: reading 35,040 intervals, and what was sent back, over the store's socket, pricing five rates by the engine that
bills, the advice, the split and the five highest hours of each month. The registry and the bill book answer from
memory here. ``processor`` is what this process spent on it, whatever else the machine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import uvloop

from openami.app.bench.store import store_of_its_own
from openami.app.web.rates_views import rates_view
from openami.billing.compare.ports import PlaceFacts, ShadowBook, WishBook
from openami.billing.compare.service import RateQuestions
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, demonstration_rates
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import QualityState
from openami.kernel.time import Period, local_day, local_days, zone_named
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData, ServicePoint
from openami.mdm.registry.ports import Registry
from openami.mdm.validation.ports import ValidationBook
from openami.security.access.scope import Purpose, system_scope

HOMES = 60
CALLS = 200
WARM_UP = 5
ZONE = "America/Chicago"
PRESENT = "ameren-mo-anytime"
FIRST, LAST = date(2025, 11, 1), date(2026, 10, 31)
NOW = datetime(2026, 11, 10, 18, tzinfo=UTC)
HOMES_PER_WRITE = 10
_SCOPE = system_scope(process="bench", purpose=Purpose.MAINTENANCE)


def run() -> dict[str, Any]:
    """Measure and return the figures in the shape of ``openami bench``."""
    return uvloop.run(measure())


async def measure(*, homes: int = HOMES, calls: int = CALLS) -> dict[str, Any]:
    """Return figures of a fresh store filled with so many homes."""
    places = [UUID(int=i + 1) for i in range(homes)]
    async with store_of_its_own() as store:
        await _fill(store, places, np.random.default_rng(7))
        questions, stage = _questions(store)
        read_s, all_s, page_s, busy_s = [], [], [], []
        for call in range(-WARM_UP, calls):
            place = places[(call * 7) % homes]
            began, busy = time.perf_counter(), time.process_time()
            found = await questions.compare(_SCOPE, place, NOW)
            compared = time.perf_counter()
            rates_view(place, found, wish=None, protection=None, next_read=LAST)
            if call >= 0:
                all_s.append(compared - began)
                page_s.append(time.perf_counter() - began)
                read_s.append(stage.last_s)
                busy_s.append(time.process_time() - busy)
    figures = _spread("read", read_s) | _spread("compare", all_s) | _spread("page", page_s)
    figures |= _spread("processor", busy_s)
    figures["rates"] = {"value": len(questions.rates), "unit": "rates"}
    durability = "reads only; the store's days were acknowledged after fsync"
    return {"durability": durability, "figures": figures, "peers": {}, "ratio": {}}


def _spread(name: str, seconds: Sequence[float]) -> dict[str, dict[str, Any]]:
    found = np.percentile(np.array(seconds) * 1000, [50, 99])
    return {f"{name}_p{p}": {"value": float(v), "unit": "ms"} for p, v in zip((50, 99), found, strict=True)}


class _Registry:
    """Places of one zone, in memory; no meter is asked for where every day is validated."""

    async def service_point(self, service_point_id: UUID) -> ServicePoint:
        return ServicePoint(service_point_id, ZONE, NOW)

    async def installed(self, *_: object, **__: object) -> list[object]:
        return []


class _Timed(MeterData):
    """Notes how long the newest read took."""

    last_s = 0.0

    async def intervals(self, *args: Any, **more: Any) -> Any:
        """Return what is asked for."""
        began = time.perf_counter()
        found = await super().intervals(*args, **more)
        self.last_s = time.perf_counter() - began
        return found


@dataclass(frozen=True, slots=True)
class _Rates:
    rates: Mapping[str, RateSchedule]

    async def rate_of(self, service_point_id: UUID, day: date) -> RateSchedule | None:  # noqa: ARG002 - the port
        return self.rates[PRESENT]


class _Facts:
    async def facts(self, service_point_id: UUID, spans: Sequence[BillSpan]) -> PlaceFacts:  # noqa: ARG002 - the port
        return PlaceFacts()

    async def of_present(self, service_point_id: UUID, period: Period, now: datetime) -> tuple[Period, ...]:
        del service_point_id, now  # one customer, always
        return (period,)

    async def next_read_day(self, service_point_id: UUID, after: date) -> date:  # noqa: ARG002 - the port
        return after


def _questions(store: SocketStore) -> tuple[RateQuestions, _Timed]:
    registry, book = cast("Registry", _Registry()), cast("ValidationBook", None)
    meters = _Timed(registry=registry, store=store, book=book)
    nowhere = cast("Callable[[], Any]", lambda: None)
    wishes, shadows = cast("WishBook", nowhere), cast("ShadowBook", nowhere)
    rates = _Rates(demonstration_rates())
    return RateQuestions(meters=meters, rates=rates, facts=_Facts(), wishes=wishes, shadows=shadows), meters


async def _fill(store: SocketStore, places: Sequence[UUID], dice: np.random.Generator) -> None:
    for at in range(0, len(places), HOMES_PER_WRITE):
        rows = [row for place in places[at : at + HOMES_PER_WRITE] for row in made_days(place, dice, FIRST, LAST)]
        await store.write_days(DayTable.from_rows(rows), token=f"bench-{at}")


def made_days(place: UUID, dice: np.random.Generator, first: date, last: date) -> list[DayVersion]:
    """Return validated days of one home, from first to last (both included)."""
    zone, run_id = zone_named(ZONE), uuid4()
    level = dice.lognormal(4.6, 0.4)
    rows = []
    for day in local_days(first, last):
        period = local_day(day, zone)
        count = period.duration_s // 900
        hour = np.arange(count) / 4
        shape = 0.4 + np.exp(-((hour - 7.5) ** 2) / 3) + 1.6 * np.exp(-((hour - 19) ** 2) / 6)
        appliance = (dice.random(count) < 0.02) * dice.integers(200, 900, count)
        wh = (level * shape * np.exp(0.3 * dice.normal(size=count)) + appliance).astype(np.int64)
        quality = np.zeros(count, np.uint8)
        if dice.random() < 0.01:
            quality[40:48] = QualityState.ESTIMATED
        method = np.zeros(count, np.uint8)
        rows.append(
            DayVersion(
                place, Channel.DELIVERED, day, 900, period.start, 1, period.end, run_id, wh, quality, method, wh, wh
            )
        )
    return rows
