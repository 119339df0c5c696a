"""Master data of a customer information system: what is accepted, held, rejected and repeated, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.store.fake_store import FakeStore

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.mdm.adapters.exchange_postgres import PostgresExchangeBook
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.exchange.acknowledgement import Acknowledgement, Result
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import parse_flat
from openami.mdm.exchange.ports import IdKind, Span
from openami.mdm.exchange.taking import MasterData
from openami.mdm.registry.desk import RegistryDesk, Store
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
Row = Mapping[str, object]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
COLUMNS = (
    "service_point", "premise", "zone", "bill_group", "phase", "meter", "interval_s", "channels", "max_power_w",
    "capacity_wh", "old_meter", "account", "rate", "state", "at", "removed_at", "ct", "pt", "constant",
    "in_delivered_wh", "in_received_wh", "in_estimated", "out_delivered_wh", "out_received_wh", "out_estimated",
)  # fmt: skip


@dataclass
class Bills:
    """Billing that has issued one bill for every span that begins before a day."""

    before: datetime | None = None
    asked: list[Span] = field(default_factory=list)
    rates: list[str | None] = field(default_factory=list)

    async def count(self, spans: Sequence[Span]) -> int:
        self.asked += spans
        return sum(self.before is not None and s[1] < self.before.date() for s in spans)

    async def enter_rates(self, entries: Sequence[FactEntry], *, at: datetime) -> None:
        self.rates += [e.value for e in entries if e.kind is FactKind.RATE]


@dataclass
class World:
    data: MasterData
    registry: PostgresRegistry
    book: PostgresExchangeBook
    bills: Bills
    sender: str

    async def send(self, *rows: Row, message: str | None = None, at: datetime = NOW) -> Acknowledgement:
        text = self.text(*rows, message=message or f"M-{uuid4()}")
        return await self.data.take(parse_flat(text.encode()), at=at)

    def text(self, *rows: Row, message: str) -> str:
        lines = [f"openami exchange 1,{self.sender},{message},2026-11-30T04:00:00Z", "record,id," + ",".join(COLUMNS)]
        for row in rows:
            assert not set(row) - {"record", "id", *COLUMNS}, row
            number = row.get("id", uuid4())
            lines.append(",".join([str(row["record"]), str(number), *(str(row.get(c, "")) for c in COLUMNS)]))
        return "\n".join((*lines, f"end,{len(rows)}", ""))

    async def point(self, name: str = "SP-1") -> UUID:
        return (await self.book.ids(self.sender, IdKind.SERVICE_POINT, [name]))[name]

    async def facts(self, name: str = "SP-1") -> list[tuple[str, str, datetime, datetime | None]]:
        found = await self.registry.facts.of([await self.point(name)])
        return [(f.kind.value, f.value, f.start, f.end) for f in found]

    async def hanging(self, name: str = "SP-1") -> list[tuple[str, datetime, datetime | None, int]]:
        ever = Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
        found = await self.registry.installed({await self.point(name)}, ever)
        return [(i.meter.serial, i.installation.start, i.installation.end, i.installation.multiplier) for i in found]


@pytest.fixture
async def world(postgres: PostgresEngine) -> AsyncIterator[World]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    registry, book, bills = PostgresRegistry(engine), PostgresExchangeBook(engine), Bills()
    store = FakeStore(FixedClock(NOW))
    desk = RegistryDesk(registry, Store(store, store), system_scope(process="test", purpose=Purpose.IMPORT))
    yield World(MasterData(desk, book, bills, uuid4), registry, book, bills, f"CIS-{uuid4().hex[:8]}")
    await engine.dispose()


def serial() -> str:
    return f"SN-{uuid4().hex[:10]}"


PLACE: dict[str, object] = {
    "record": "service_point", "service_point": "SP-1", "premise": "PR-1", "zone": "America/Chicago",
    "bill_group": 7, "phase": "AB", "at": "2026-01-01T06:00:00Z",
}  # fmt: skip


def meter(number: str) -> dict[str, object]:
    return {
        "record": "meter", "meter": number, "interval_s": 900, "channels": "delivered+received",
        "max_power_w": 48_000, "capacity_wh": 100_000_000,
    }  # fmt: skip


def install(number: str, at: str = "2026-02-01T18:00:00Z", **more: object) -> dict[str, object]:
    reads = {"in_delivered_wh": 1000, "in_received_wh": 0}
    return {"record": "install", "service_point": "SP-1", "meter": number, "at": at, **reads, **more}


def results(found: Acknowledgement) -> list[tuple[Result, str]]:
    return [(a.result, a.code) for a in found.answers]


ACCEPTED = (Result.ACCEPTED, "")
UNCHANGED = (Result.UNCHANGED, "")


async def test_a_new_place_with_its_meter_account_and_rate_is_entered_from_one_message(world: World) -> None:
    number = serial()
    start = {"record": "start", "service_point": "SP-1", "account": "A-77", "rate": "R-1", "at": "2026-02-02T06:00:00Z"}
    found = await world.send(PLACE, meter(number), install(number, ct=40, pt=2), start)
    assert results(found) == [ACCEPTED] * 4
    assert await world.hanging() == [(number, datetime(2026, 2, 1, 18, tzinfo=UTC), None, 80)]
    facts = {(kind, value) for kind, value, _, _ in await world.facts()}
    assert {("bill_group", "7"), ("phase", "AB"), ("rate", "R-1"), ("service", "active")} <= facts
    (account,) = [value for kind, value, _, _ in await world.facts() if kind == FactKind.ACCOUNT]
    assert account == str((await world.book.ids(world.sender, IdKind.ACCOUNT, ["A-77"]))["A-77"])
    assert "A-77" not in str(await world.facts())
    assert world.bills.rates == ["R-1"]
    assert found.answers[2].days > 300


async def test_the_same_message_again_is_answered_as_before_and_changes_nothing(world: World) -> None:
    number = serial()
    rows = [PLACE | {"id": 1}, meter(number) | {"id": 2}, install(number, id=3)]
    first = await world.send(*rows, message="M-1")
    again = await world.send(*rows, message="M-1", at=NOW + timedelta(days=1))
    assert again.is_repeat
    assert again.answers == first.answers
    with pytest.raises(MessageRefusedError, match="came before with other content"):
        await world.send(rows[0], message="M-1")


async def test_the_same_records_in_another_message_change_nothing_and_other_content_is_rejected(world: World) -> None:
    number = serial()
    rows = [PLACE | {"id": 1}, meter(number) | {"id": 2}, install(number, id=3)]
    await world.send(*rows)
    assert results(await world.send(*rows)) == [UNCHANGED] * 3
    other = await world.send(install(number, id=3, at="2026-03-01T00:00:00Z"))
    assert results(other) == [(Result.REJECTED, "number")]
    assert len(await world.hanging()) == 1


async def test_what_is_believed_already_is_unchanged_under_new_numbers(world: World) -> None:
    number = serial()
    state = {"record": "state", "service_point": "SP-1", "state": "disconnected", "at": "2026-05-01T00:00:00Z"}
    await world.send(PLACE, meter(number), state)
    assert results(await world.send(PLACE, meter(number), state)) == [UNCHANGED] * 3


@pytest.mark.parametrize(
    ("row", "code", "reason"),
    [
        (install("NOBODY"), "unknown", "send its meter record first"),
        ({**install("M"), "service_point": "SP-9"}, "unknown", "send its service_point record first"),
        ({**install("M"), "in_received_wh": ""}, "missing_read", "no in-read of received"),
        (install("M", at="2026-06-01T00:00:00Z"), "overlap", "SP|service point"),
        (
            {"record": "remove", "meter": "M", "at": "2026-03-01T00:00:00Z", "out_delivered_wh": 5},
            "missing_read",
            "out",
        ),
        ({"record": "stop", "service_point": "SP-1", "at": "2026-03-01T00:00:00Z"}, "fact", "no account"),
        ({**PLACE, "zone": "America/New_York"}, "refused", "zone America/Chicago"),
        ({**PLACE, "phase": "Q"}, "field", "phase"),
        ({**meter("M"), "interval_s": 3600}, "refused", "interval_s 900"),
    ],
    ids=["meter", "place", "in-read", "overlap", "out-read", "stop", "zone", "field", "build"],
)
async def test_a_record_that_cannot_be_is_rejected_with_a_code_and_the_others_are_taken(
    world: World, row: Row, code: str, reason: str
) -> None:
    number = serial()
    await world.send(PLACE, meter(number), install(number))
    mine = {k: number if v == "M" else v for k, v in row.items()}
    other = serial()
    if code == "overlap":
        await world.send(meter(other))
        mine["meter"] = other
    good = {"record": "rate", "service_point": "SP-1", "rate": "R-2", "at": "2026-04-01T00:00:00Z"}
    found = await world.send(mine, good)
    assert results(found) == [(Result.REJECTED, code), ACCEPTED]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found.answers[0].reason)


async def test_a_rejected_record_waits_in_the_list_until_it_is_sent_right(world: World) -> None:
    number = serial()
    await world.send(PLACE)
    await world.send(install(number, id=9))
    (waiting,) = await world.book.open(world.sender, limit=10)
    assert (waiting.answer.id, waiting.answer.code) == ("9", "unknown")
    await world.send(meter(number), install(number, id=9))
    assert await world.book.open(world.sender, limit=10) == []
    assert len(await world.hanging()) == 1


async def test_an_exchange_ends_one_meter_and_hangs_the_next(world: World) -> None:
    old, new = serial(), serial()
    exchange = {
        "record": "exchange", "service_point": "SP-1", "old_meter": old, "meter": new,
        "removed_at": "2026-06-01T15:00:00Z", "at": "2026-06-01T15:00:00Z", "out_delivered_wh": 50_000,
        "out_received_wh": 10, "in_delivered_wh": 3, "in_received_wh": 0,
    }  # fmt: skip
    found = await world.send(PLACE, meter(old), meter(new), install(old), exchange)
    assert results(found) == [ACCEPTED] * 5
    at = datetime(2026, 6, 1, 15, tzinfo=UTC)
    assert [(s, a, b) for s, a, b, _ in await world.hanging()] == [
        (old, datetime(2026, 2, 1, 18, tzinfo=UTC), at), (new, at, None),
    ]  # fmt: skip


async def test_an_out_read_that_could_not_be_taken_is_estimated_and_says_so(world: World) -> None:
    number = serial()
    out = {"record": "remove", "meter": number, "at": "2026-02-20T15:00:00Z", "out_estimated": "display_dead"}
    found = await world.send(PLACE, meter(number), install(number), out)
    assert results(found)[-1] == ACCEPTED
    ever = Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    (one,) = await world.registry.installed({await world.point()}, ever)
    assert one.installation.estimated_out == {Channel.DELIVERED, Channel.RECEIVED}


async def test_a_back_dated_rate_holds_until_the_later_one_that_is_there(world: World) -> None:
    def rate(code: str, at: str) -> Row:
        return {"record": "rate", "service_point": "SP-1", "rate": code, "at": at}

    await world.send(PLACE, rate("LATER", "2026-09-01T05:00:00Z"), rate("EARLIER", "2026-03-01T06:00:00Z"))
    rates = [(v, s.month, e and e.month) for k, v, s, e in await world.facts() if k == "rate"]
    assert rates == [("EARLIER", 3, 9), ("LATER", 9, None)]


async def test_what_would_alter_issued_bills_is_held_with_the_counts_until_a_person_releases_it(world: World) -> None:
    await world.send(PLACE)
    world.bills.before = datetime(2026, 6, 1, tzinfo=UTC)
    row = {"record": "rate", "id": 5, "service_point": "SP-1", "rate": "R-9", "at": "2026-03-01T06:00:00Z"}
    message = world.text(row, message="M-9")
    found = await world.data.take(parse_flat(message.encode()), at=NOW)
    assert results(found) == [(Result.HELD, "billed")]
    assert found.answers[0].bills >= 1
    assert "rate" not in {k for k, *_ in await world.facts()}
    (waiting,) = await world.book.open(world.sender, limit=10)
    assert waiting.record is not None
    answer = await world.data.release(world.sender, parse_flat(message.encode()), waiting.record, at=NOW, by="alice")
    assert answer.result is Result.ACCEPTED
    assert "rate" in {k for k, *_ in await world.facts()}
    assert await world.book.open(world.sender, limit=10) == []


@pytest.mark.parametrize("step", ["note", "finish"])
async def test_a_crash_after_records_were_carried_out_loses_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    number = serial()
    rows = [PLACE | {"id": 1}, meter(number) | {"id": 2}, install(number, id=3)]

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionError("killed")

    monkeypatch.setattr(PostgresExchangeBook, step, crash)
    with pytest.raises(ConnectionError):
        await world.send(*rows, message="M-1")
    monkeypatch.undo()
    found = await world.send(*rows, message="M-1")
    assert results(found) == [UNCHANGED] * 3
    assert len(await world.hanging()) == 1
    repeated = await world.send(*rows, message="M-1")
    assert repeated.is_repeat
    assert repeated.answers == found.answers
