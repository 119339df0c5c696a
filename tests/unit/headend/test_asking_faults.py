"""No fault leaves a request running and its meter busy for ever: no database that is away, no bug in a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.unit.headend.test_command_service import Vault

from openami.app.bench.pushes import PushFactory
from openami.headend.keeping.answer import Answer, Figure
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState
from openami.headend.keeping.roster import Hung, Roster
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.ports import BusUnavailableError, StateUnavailableError
from openami.headend.session.asking import GroupAsking
from openami.headend.session.group_work import AskingEngines
from openami.headend.session.operations import Circumstance
from openami.headend.session.request_runs import PUBLISH_TRIES
from openami.headend.state_ports import Lease
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s
from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyTable

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
WAIT_S = 5.0
SECRET_WORDS = "24131 Wh"


@dataclass
class Requests:
    """A table of requests that may be away."""

    asked: list[Request]
    away: int = 0
    kept: dict[UUID, Request] = field(default_factory=dict)

    async def open(self, group: int) -> list[Request]:
        return []

    async def arrivals(self, group: int) -> list[Request]:
        return [self.kept.get(r.request_id, r) for r in self.asked if r.request_id not in self.kept]

    async def rested(self, group: int, *, since_s: float) -> list[Request]:
        return []

    async def save(self, lease: Lease, requests: Sequence[Request], figures: Mapping[UUID, Sequence[Figure]]) -> None:
        if requests and self.away:
            self.away -= 1
            raise StateUnavailableError("away")
        self.kept.update({r.request_id: r for r in requests})

    async def forget(self, group: int, *, done_before_s: float, before_s: float) -> None:
        return


@dataclass
class Fleet:
    """Roster, sessions and outbox in one."""

    hung: list[Hung]
    fault: Exception | None = None
    bus_away: int = 0
    names: list[str] = field(default_factory=list)
    held: list[SystemTitle] = field(default_factory=list)
    released: list[SystemTitle] = field(default_factory=list)
    release_s: float = 0.0

    async def roster(self) -> Roster:
        return Roster(self.hung)

    async def perform(self, request: Request, around: Circumstance) -> Answer:
        if self.fault is not None:
            raise self.fault
        return Answer(words="the meter answers")

    def resting(self, *, idle_s: float | None = None) -> list[SystemTitle]:
        held = self.held if idle_s == 0.0 else self.held[:1]
        return [title for title in held if title not in self.released]

    async def release(self, title: SystemTitle) -> None:
        self.released.append(title)
        await asyncio.sleep(self.release_s)

    def forget(self, title: SystemTitle) -> None:
        self.held.remove(title)

    async def publish_answer(self, answer: Answer, *, name: str, subject_partition: int) -> None:
        self.names.append(name)
        if self.bus_away:
            self.bus_away -= 1
            raise BusUnavailableError("away")


async def asked(
    *, away: int = 0, fault: Exception | None = None, bus_away: int = 0
) -> tuple[GroupAsking, Requests, Fleet]:
    factory = PushFactory(meters=1)
    meter, table = factory.meters[0], KeyTable()
    vault: KeyVault = Vault(factory.key_columns())  # type: ignore[assignment]  # only what a feed asks
    await KeyFeed(vault, table).refresh()
    title = SystemTitle(meter.title)
    now_s = epoch_s(NOW)
    ping = Request(UUID(int=9), meter.meter_id, title, RequestKind.PING, Lane.PERSON, now_s, now_s, now_s)
    requests = Requests([ping], away)
    fleet = Fleet([Hung(meter.meter_id, title, now_s - 900, None, "UTC", "C1")], fault, bus_away)
    seconds = count()
    engines = AskingEngines(requests, fleet, fleet, fleet, lambda: 0.5)  # type: ignore[arg-type]  # what asking asks
    asking = GroupAsking(
        Lease(0, 1, 0),
        frozenset(range(64)),
        zone="UTC",
        table=table,
        engines=engines,
        clock=FixedClock(NOW),
        real_now=lambda: NOW + timedelta(seconds=next(seconds)),
    )
    await asking.restore([])
    return asking, requests, fleet


async def until(asking: GroupAsking, happened: Callable[[], bool]) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(asking.run(stop))
    try:
        async with asyncio.timeout(WAIT_S):
            while not happened():
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await task


async def test_a_request_whose_state_could_not_be_kept_is_asked_when_the_database_is_back() -> None:
    asking, requests, _ = await asked(away=1)
    await until(asking, lambda: any(r.state is RequestState.DONE for r in requests.kept.values()))
    assert [(r.state, r.tries) for r in requests.kept.values()] == [(RequestState.DONE, 1)]
    assert asking.keeper.agenda.busy == set()


@pytest.mark.parametrize(
    "fault",
    [OverflowError(SECRET_WORDS), KeyError(SECRET_WORDS), ValueError(SECRET_WORDS)],
    ids=lambda f: type(f).__name__,
)
async def test_a_bug_in_a_session_ends_its_request_and_tells_nothing_of_a_reading(fault: Exception) -> None:
    asking, requests, _ = await asked(fault=fault)
    with capture_logs() as logs:
        await until(asking, lambda: any(not r.is_open for r in requests.kept.values()))
    [ended] = requests.kept.values()
    assert (ended.state, ended.words) == (RequestState.GIVEN_UP, "a fault of ours, which is in the log")
    assert asking.keeper.agenda.busy == set()
    [told] = [entry for entry in logs if entry["event"] == "session_fault"]
    assert told["cause"] == type(fault).__name__
    assert SECRET_WORDS not in str(logs)


async def test_what_a_session_brings_after_the_bus_was_away_has_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openami.headend.session.request_runs.RETRY_S", 0.0)
    asking, requests, fleet = await asked(bus_away=PUBLISH_TRIES)
    await until(asking, lambda: any(r.state is RequestState.DONE for r in requests.kept.values()))
    # The try did not count, so its number comes again; the stream would drop what comes under a name it has.
    assert [r.tries for r in requests.kept.values()] == [1]
    assert len(set(fleet.names[:PUBLISH_TRIES])) == 1
    assert fleet.names[PUBLISH_TRIES] != fleet.names[0]


async def test_a_page_that_cannot_be_read_stops_no_group_and_is_written_anew() -> None:
    asking, _, _ = await asked()
    with capture_logs() as logs:
        await asking.restore([b"no page at all"])
    assert [entry["event"] for entry in logs] == ["memory_unreadable"]
    page = asking.page()
    assert page is not None
    assert page.is_base


async def test_a_meter_that_rests_is_released_and_a_group_given_back_releases_its_own_meters_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A cell that nobody was heard from yet is not asked for a release.
    monkeypatch.setattr(Keeper, "_silent_cells", lambda *_: frozenset())
    asking, _, fleet = await asked()
    ours, others = fleet.hung[0].title, SystemTitle(b"OAM\xff\xff\xff\xff\xff")
    fleet.held = [ours, others]
    await until(asking, lambda: fleet.released == [ours])
    fleet.held, fleet.released = [ours, others], []
    await until(asking, lambda: True)
    assert (fleet.released, fleet.held) == ([ours], [others])


async def test_meters_that_do_not_answer_a_release_hold_up_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.headend.session.associations.LEAVE_S", 0.05)
    asking, _, fleet = await asked()
    fleet.held, fleet.release_s = [fleet.hung[0].title], 60.0
    await until(asking, lambda: True)
    assert (len(fleet.released), fleet.held) == (1, [])
