"""Why a read is missing, and reads by hand: days without a neighbor, meters without keys, a button pressed twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from openami.app.web.fleet import ANSWER_WITHIN_S, FleetDesk
from openami.headend.api import AskedRequest, MeterMemory
from openami.headend.keeping.missing import IntervalState
from openami.headend.keeping.request import Request
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.portal.ports import MeterFacts, RefusedError
from openami.portal.views.fleet import ReadKind

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
METER, PLACE = UUID(int=1), UUID(int=2)


class Books:
    """What the head-end has written, as far as one meter goes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def ask(self, request: Request, *, asked_by: str) -> None:
        del asked_by
        self.requests.append(request)

    async def asked(self, meter_id: UUID, *, limit: int) -> list[AskedRequest]:
        assert meter_id == METER
        return [AskedRequest(r, ()) for r in reversed(self.requests)][:limit]

    async def requests_over(self, _meter_id: UUID, _from_s: int, _to_s: int) -> list[Request]:
        return []

    async def memory_of(self, _title: SystemTitle, _first: int, count: int) -> MeterMemory:
        return MeterMemory((IntervalState.RECEIVED,) * count, None)


def desk(*, title: str = "4f414d0000000001", read_at: datetime | None = None) -> tuple[FleetDesk, Books, FixedClock]:
    books, clock = Books(), FixedClock(NOW)
    hung = SimpleNamespace(
        meter=SimpleNamespace(id=METER, is_virtual=False),
        installation=SimpleNamespace(service_point_id=PLACE, start=NOW - timedelta(days=9), end=None),
    )

    async def meter(_meter_id: UUID) -> MeterFacts:
        return MeterFacts(METER, title, "S1", "oam-1", (), None, None)

    async def none(*_: object, **__: object) -> Any:
        return None

    async def letters(**_: object) -> Any:
        return SimpleNamespace(letters=[])

    async def installed(*_: object, **__: object) -> Any:
        return [hung]

    async def point(*_: object) -> Any:
        return SimpleNamespace(id=PLACE, cell="C1", zone="America/Chicago")

    async def points(*_: object) -> Any:
        return [await point()]

    async def frames(_limit: int) -> Any:
        return []

    async def levels(*_: object) -> Any:
        return []

    async def last_readings(_scope: object, spans: Any, _period: object) -> Any:
        return {s.meter_id: SimpleNamespace(start=read_at) for s in spans} if read_at else {}

    books.levels = books.register_levels = books.open_requests = levels  # type: ignore[attr-defined]
    fakes: Any = {
        "headend": SimpleNamespace(last_frame_of=none, last_frames=frames),
        "operations": SimpleNamespace(meter=meter, dead_letters=letters),
        "data": SimpleNamespace(
            registry=SimpleNamespace(installed=installed, service_point=point, service_points=points),
            store=SimpleNamespace(last_readings=last_readings),
        ),
    }
    made: Any = books
    return FleetDesk(made, **fakes, real=clock, domain=clock, default_zone="UTC"), books, clock


@pytest.mark.parametrize("day", [date.max, date.min, date(1999, 12, 31), date(2026, 7, 3)])
async def test_a_day_on_which_nothing_can_be_missing_is_refused_in_words(day: date) -> None:
    asked, _, _ = desk()
    with pytest.raises(RefusedError, match="on that day"):
        await asked.missing(METER, day)


async def test_a_meter_without_keys_is_told_to_have_none() -> None:
    asked, _, _ = desk(title="")
    found = await asked.missing(METER, date(2026, 6, 30))
    assert found is not None
    assert (found.present, [(s.code, s.intervals) for s in found.spans]) == (0, [("no_keys", 96)])


async def test_a_button_pressed_twice_asks_the_meter_once() -> None:
    asked, books, clock = desk()
    first, again = await asked.ask(METER, ReadKind.REGISTERS), await asked.ask(METER, ReadKind.REGISTERS)
    assert first.request_id == again.request_id
    await asked.ask(METER, ReadKind.VOLTAGE)
    assert len(books.requests) == 2
    clock.instant = NOW + timedelta(seconds=ANSWER_WITHIN_S + 1)
    assert (await asked.ask(METER, ReadKind.REGISTERS)).request_id != first.request_id


@pytest.mark.parametrize(
    ("read_at", "days"),
    [(None, [9]), (NOW - timedelta(days=3, hours=2), [3]), (NOW - timedelta(hours=5), [])],
    ids=["nothing ever came", "a file brought readings to three days ago", "a file brought today's"],
)
async def test_a_meter_that_was_not_heard_is_unread_since_its_newest_reading(
    read_at: datetime | None, days: list[int]
) -> None:
    asked, _, _ = desk(read_at=read_at)
    assert [u.days for u in (await asked.service_levels()).unread] == days
