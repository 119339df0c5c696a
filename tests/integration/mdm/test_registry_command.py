"""``openami registry`` says what a late change affects, days and bills, before a person accepts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from openami.app.commands import registry_group
from openami.app.devices import registry_desk
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import SignInRefusedError
from openami.app.settings import Home, Settings, real_now
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.bill.record import Assignment, Bill, BillState
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import epoch_s
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.change import EndRead, Hang
from openami.mdm.registry.records import Meter, ServicePoint
from openami.security.access.account import NewUser
from openami.security.access.role import Role

pytestmark = pytest.mark.engines
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
START = datetime(2026, 5, 1, 5, tzinfo=UTC)
PASSWORD = "a long enough password of the desk"
T = TypeVar("T")


@dataclass
class Site:
    home: Path
    settings: Settings
    points: list[UUID]
    meters: list[UUID]

    def run(self, *words: str, told: str = f"y\n{PASSWORD}\n") -> Any:
        return CliRunner().invoke(registry_group.app, [*words, "--home", str(self.home)], input=told)

    def change(self, *words: str, login: str = "desk@utility.example", told: str = f"y\n{PASSWORD}\n") -> Any:
        return self.run(*words, "--as", login, "--reason", "work order 7", told=told)

    def preview(self, *words: str) -> Any:
        done = self.change(*words, "--json")
        assert done.exit_code == 0, done.output + str(done.exception)
        return json.loads(done.stdout)

    def ask(self, query: Callable[[PostgresRegistry], Awaitable[T]]) -> T:
        async def asked() -> T:
            async with room_database(self.settings, "openami_mdm") as engine:
                return await query(PostgresRegistry(engine))

        return asyncio.run(asked())


@pytest.fixture
def site(postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch, fake_store: Any) -> Site:
    """Two places with a meter each, a third meter in stock, and one issued bill of May at the first place."""
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    monkeypatch.setattr(type(fake_store), "close", _nothing, raising=False)
    monkeypatch.setattr(registry_desk, "SocketStore", lambda _: fake_store)
    Settings(home=Home(short_tmp), real_origin=real_now(), domain_origin=NOW).save()
    settings = Settings.load(short_tmp)
    made = Site(short_tmp, settings, [uuid4(), uuid4()], [uuid4() for _ in range(3)])
    asyncio.run(_furnish(made, fake_store))
    return made


async def _nothing(_: Any) -> None:
    """Close nothing."""


async def _furnish(site: Site, store: Any) -> None:
    async with room_database(site.settings, "openami_access") as access:
        people = [
            NewUser("desk@utility.example", frozenset({Role.OPERATOR}), PASSWORD, display_name="Desk"),
            NewUser("van@utility.example", frozenset({Role.INSTALLER}), PASSWORD, display_name="Van"),
        ]
        await accounts_of(site.settings, access, RealClock()).register_users(people)
    async with room_database(site.settings, "openami_mdm") as engine:
        registry = PostgresRegistry(engine)
        await registry.add_service_points([ServicePoint(p, "America/Chicago", START) for p in site.points])
        rows = [
            Meter(m, f"S-{k}", START, capacity_wh=10_000_000, channels=(Channel.DELIVERED, Channel.VOLTAGE))
            for k, m in enumerate(site.meters)
        ]
        await registry.add_meters(rows)
        for point, meter in zip(site.points, site.meters, strict=False):
            hang = Hang(uuid4(), point, meter, START, {Channel.DELIVERED: EndRead(1000)})
            await registry.change(hang, at=START)
    async with room_database(site.settings, "openami_billing") as engine:
        book = PostgresBillBook(engine)
        await book.assign([Assignment(p, "ameren-mo-anytime", date(2026, 5, 1)) for p in site.points], at=START)
        await book.keep([may_bill(site.points[0])])
    # The first meter counts 100 Wh a quarter-hour from its in-read on.
    starts = epoch_s(START) + 900 * np.arange(30 * 96)
    n = len(starts)
    await store.write_readings(
        ReadingBatch(
            meter_id=uuid_column([site.meters[0]] * n), channel=np.full(n, 1, np.uint8), start=starts.astype(np.int64),
            interval_s=np.full(n, 900, np.uint32), value=np.full(n, 100, np.int64), quality=np.zeros(n, np.uint16),
            source=np.full(n, Source.PUSH, np.uint8), message_id=np.arange(n, dtype=np.uint64),
        ),
        token="r",
    )  # fmt: skip
    await store.write_registers(
        RegisterBatch(
            meter_id=uuid_column([site.meters[0]]), channel=np.ones(1, np.uint8), at=starts[[9 * 96]].astype(np.int64),
            value=np.array([1000 + 9 * 9600]), source=np.ones(1, np.uint8), message_id=np.zeros(1, np.uint64),
        ),
        token="k",
    )  # fmt: skip


def lines(printed: str) -> list[Any]:
    """Read JSON lines; the prompt for the password leaves an empty one."""
    return [json.loads(line) for line in printed.splitlines() if line.strip()]


def may_bill(point: UUID) -> Bill:
    return Bill(
        uuid4(), point, BillSpan(date(2026, 5, 1), date(2026, 6, 1)), "America/Chicago", "ameren-mo-anytime", "Anytime",
        "USD", BillState.ISSUED, (1,) * 31, NOW, usage_wh=297_600, received_wh=0, estimated_wh=0,
        exact_total=Decimal("40.12"), total=Decimal("40.12"), issued_at=NOW,
    )  # fmt: skip


def test_an_exchange_back_dated_over_a_bill_names_it_before_it_is_accepted(site: Site) -> None:
    words = (
        "exchange", "S-0", "S-2", "--removed", "2026-05-10T01:00-05:00", "--unreadable", "delivered=display dark",
        "--hung", "2026-05-10T09:00-05:00", "--in", "delivered=5",
    )  # fmt: skip
    told = site.preview(*words)
    (row,) = told["affected"]
    assert (row["service_point"], row["first"], row["last"]) == (str(site.points[0]), "2026-05-10", "2026-06-20")
    assert [b["total"] for b in told["bills"]] == ["40.12"]
    assert any("out-read of delivered is an estimate, 87,800: display dark" in n for n in told["notes"])
    assert any("passed while no meter hung there" in n for n in told["notes"])
    assert not told["accepted"]
    done = site.change(*words)
    assert done.exit_code == 0, done.output
    assert "1 issued bill:" in done.stdout
    assert "Accepted" in done.stdout
    shown = json.loads(site.run("show", "S-2", "--json").stdout)
    old, new = shown["installations"]
    assert old["out"] == {"delivered": [87_800, True]}
    assert (new["serial"], new["in"]) == ("S-2", {"delivered": [5, False]})
    (between,) = [json.loads(line) for line in site.run("unmetered", "--json").stdout.splitlines()]
    assert (between["start"], between["end"]) == ("2026-05-10T06:00:00+00:00", "2026-05-10T14:00:00+00:00")


def test_an_in_read_that_nobody_took_is_carried_back_from_what_the_meter_sent_since(site: Site) -> None:
    done = site.change("remove", "S-0", "--at", "2026-05-09", "--out", "delivered=77800")
    assert done.exit_code == 0, done.output
    place = str(site.points[0])
    words = ("hang", "S-0", "--place", place, "--from", "2026-05-09T20:00-05:00", "--unreadable-in", "delivered=dark")
    told = site.preview(*words)
    assert any("in-read of delivered is an estimate, 85,800: dark" in n for n in told["notes"])
    unknown = ("hang", "S-2", "--place", place, "--from", "2026-05-09T20:00-05:00", "--unreadable-in", "delivered=dark")
    assert "no register read of it is known" in str(site.change(*unknown).exception)


def test_a_person_who_does_not_accept_changes_nothing(site: Site) -> None:
    words = ("multiplier", "S-0", "--from", "2026-05-01", "--ct", "40")
    done = site.change(*words, told="n\n")
    assert done.exit_code == 0
    assert "Nothing is changed" in done.stdout
    assert "2 x" not in site.run("show", "S-0").stdout
    (row,) = json.loads(site.run("show", "S-0", "--json").stdout)["installations"]
    assert row["multiplier"] == "1"


def test_what_was_looked_at_is_what_is_accepted(site: Site) -> None:
    words = ("multiplier", "S-0", "--from", "2026-05-01", "--ct", "40")
    mark = site.preview(*words)["mark"]
    wrong = site.change(*words, "--accept", "0" * 12)
    assert "look again" in str(wrong.exception)
    done = site.change(*words, "--accept", mark, "--json", told=f"{PASSWORD}\n")
    assert json.loads(done.stdout)["accepted"], done.output
    log = [json.loads(line) for line in site.run("history", "S-0", "--json").stdout.splitlines()]
    assert [(r["kind"], r["by"], r["reason"]) for r in log[-1:]] == [
        ("multiplier", "desk@utility.example", "work order 7")
    ]

    async def audited() -> int:
        query = text("select count(*) from audit.entry where subjects @> array[cast(:point as uuid)]")
        async with room_database(site.settings, "openami_audit") as engine, engine.connect() as c:
            return int((await c.execute(query, {"point": site.points[0]})).scalar_one())

    assert asyncio.run(audited()) == 1, "who lives there sees that it was changed"


def test_crossed_meters_are_put_right_in_one_step(site: Site) -> None:
    told = site.preview("crossed", "S-0", "S-1")
    assert {r["service_point"] for r in told["affected"]} == {str(p) for p in site.points}
    assert len(told["bills"]) == 1
    done = site.change("crossed", "S-0", "S-1")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(site.run("show", str(site.points[0]), "--json").stdout)["installations"]
    assert row["serial"] == "S-1"
    (before,) = json.loads(
        site.run("show", str(site.points[0]), "--json", "--known-at", "2026-06-01T00:00+00:00").stdout
    )["installations"]
    assert before["serial"] == "S-0"


def test_an_installer_hangs_meters_and_corrects_no_multiplier(site: Site) -> None:
    refused = site.change("multiplier", "S-0", "--from", "2026-05-01", "--ct", "2", login="van@utility.example")
    assert isinstance(refused.exception, OpenAmiError)
    done = site.change("remove", "S-1", "--at", "2026-06-19", "--out", "delivered=9", login="van@utility.example")
    assert done.exit_code == 0, done.output


def test_a_service_is_started_on_a_rate_and_stopped_and_its_usage_is_never_nobodys(site: Site) -> None:
    place, account = str(site.points[1]), str(uuid4())
    done = site.change("start", place, "--account", account, "--rate", "ameren-mo-smart", "--from", "2026-06-05")
    assert done.exit_code == 0, done.output
    other = site.change("start", place, "--account", str(uuid4()), "--from", "2026-06-07")
    assert "stop that service first" in str(other.exception)

    async def rates() -> list[Assignment]:
        async with room_database(site.settings, "openami_billing") as engine:
            return await PostgresBillBook(engine).assignments([site.points[1]])

    assert [(a.rate_code, a.first_day) for a in asyncio.run(rates())] == [
        ("ameren-mo-anytime", date(2026, 5, 1)), ("ameren-mo-smart", date(2026, 6, 5)),
    ]  # fmt: skip
    done = site.change("stop", place, "--at", "2026-06-10")
    assert done.exit_code == 0, done.output
    facts = json.loads(site.run("show", place, "--json").stdout)["facts"]
    told = [(f["kind"], f["value"], f["start"][:10], f["end"] and f["end"][:10]) for f in facts]
    assert told == [
        ("account", account, "2026-06-05", "2026-06-10"),
        ("rate", "ameren-mo-smart", "2026-06-05", "2026-06-10"),
        ("service", "active", "2026-06-05", "2026-06-10"),
        ("service", "inactive", "2026-06-10", None),
    ]


def test_a_refusal_names_the_place_and_the_mend(site: Site) -> None:
    for words, told in (
        (("remove", "S-1", "--at", "yesterday"), "no instant"),
        (("remove", "S-9", "--at", "2026-06-01"), "no meter of that serial"),
        (("remove", "S-1", "--at", "2026-06-01"), "no out-read of delivered"),
        (("remove", "S-1", "--at", "2026-06-01", "--out", "delivered=x"), "whole number"),
        (("remove", "S-1", "--at", "2026-06-01", "--out", "power=1"), "CHANNEL=VALUE"),
        (("remove", "S-1", "--at", "2026-06-01", "--unreadable", "delivered="), "needs a reason"),
        (("hang", "S-2", "--place", "S-0", "--from", "2026-06-01", "--in", "delivered=1"), "two meters"),
        (("fact", "S-0", "color", "red", "--from", "2026-06-01"), "is no kind"),
        (("fact", "S-0", "phase", "Z", "--from", "2026-06-01"), "phase: 'Z' is not one of"),
        (("fact", str(UUID(int=5)), "phase", "A", "--from", "2026-06-01"), "no service point"),
        (("crossed", "S-0", "S-2"), "hangs nowhere"),
        (("crossed", "S-0", "S-0"), "the same"),
        (("stop", "S-0", "--at", "2026-06-01"), "no account holds"),
    ):
        done = site.change(*words)
        assert isinstance(done.exception, OpenAmiError), words
        assert told in str(done.exception)


def test_a_calendar_is_read_from_a_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "fair.csv"
    file.write_text("2026-08-13,State fair\n\n2026-12-24,Eve\n")
    assert "signs in" in str(site.run("calendar", "fair", str(file)).exception)
    done = site.change("calendar", "fair", str(file), told="not the password\n")
    assert isinstance(done.exception, SignInRefusedError)
    assert "2 days kept" in site.change("calendar", "fair", str(file), told=f"{PASSWORD}\n").stdout
    assert json.loads(site.run("calendar", "fair", "--json").stdout)["days"] == ["2026-08-13", "2026-12-24"]
    file.write_text("13.8.2026,State fair\n")
    assert "line 1" in str(site.change("calendar", "fair", str(file)).exception)
    file.write_text("2026-08-13,State fair\n")
    assert "shipped" in str(site.change("calendar", "us", str(file)).exception)


def test_a_place_that_no_network_reads_is_read_by_hand_held_and_decided(site: Site) -> None:
    place = str(site.points[1])
    login = ("--as", "desk@utility.example")
    done = site.change("fact", place, "reading", "by_hand", "--from", "2026-05-01")
    assert done.exit_code == 0, done.output
    ask = f"{PASSWORD}\n"
    for day, count in (("2026-05-11", 301_000), ("2026-05-21", 601_000)):
        done = site.run("read", place, str(count), "--at", day, "--road", "dials", "--mark", "R-7", *login, told=ask)
        assert "accepted" in done.stdout, done.output
    done = site.run("read", place, "910000", "--at", "2026-06-01", "--road", "photo", *login, "--json", told=ask)
    assert json.loads(done.stdout)["state"] == "accepted"
    done = site.run("read", place, "2110000", "--at", "2026-06-11", "--road", "dials", *login, "--json", told=ask)
    held = json.loads(done.stdout)
    assert (held["state"], [f["rule"] for f in held["findings"]]) == ("held", ["register_high", "register_miskeyed"])
    assert held["candidates"][0] == 1_210_000
    assert [json.loads(line)["id"] for line in site.run("held", "--json").stdout.splitlines()] == [held["id"]]
    words = ("decide", held["id"], "accept", "--meant", "1210000", *login, "--reason", "photo shows it", "--json")
    assert json.loads(site.run(*words, told=ask).stdout)["value"] == 1_210_000
    assert "waits for nobody" in site.run("held").stdout or "No read waits" in site.run("held").stdout
    assert isinstance(site.run(*words, told=ask).exception, OpenAmiError)
    done = site.run("estimate", place, "--at", "2026-06-19", *login, "--reason", "dog", "--json", told=ask)
    assert json.loads(done.stdout)["road"] == "estimate"
    told = json.loads(site.run("reads", place, "--json").stdout)
    assert [u["usage_wh"] for u in told["usage"][:4]] == [300_000, 300_000, 309_000, 300_000]
    assert [u["is_estimated"] for u in told["usage"]] == [False, False, False, False, True]
    wrong = site.run("read", place, "1", "--at", "2027-01-01", "--road", "dials", *login, told=ask)
    assert "lies ahead" in str(wrong.exception)


def test_usage_without_an_account_is_listed_until_its_account_is_named(site: Site, fake_store: Any) -> None:
    def day(number: int) -> DayVersion:
        wh = np.full(96, 100, np.int64)
        quality, method = np.zeros(96, np.uint8), np.zeros(96, np.uint8)
        start = datetime(2026, 6, number, 5, tzinfo=UTC)
        return DayVersion(
            site.points[0], Channel.DELIVERED, date(2026, 6, number), 900, start, 1, NOW, uuid4(), wh, quality, method,
            wh, wh,
        )  # fmt: skip

    asyncio.run(fake_store.write_days(DayTable.from_rows([day(n) for n in range(1, 15)]), token="d"))
    (row,) = [json.loads(line) for line in site.run("unbilled", "--json").stdout.splitlines()]
    assert (row["service_point"], row["first"], row["last"]) == (str(site.points[0]), "2026-06-01", "2026-06-14")
    assert (row["days"], row["usage_wh"]) == (14, 14 * 9_600)
    site.change("start", str(site.points[0]), "--account", str(uuid4()), "--from", "2026-06-05")
    (row,) = [json.loads(line) for line in site.run("unbilled", "--json").stdout.splitlines()]
    assert (row["first"], row["last"], row["days"]) == ("2026-06-01", "2026-06-04", 4)
    site.change("fact", str(site.points[0]), "account", str(uuid4()), "--from", "2026-05-01", "--until", "2026-06-05")
    assert "No usage without an account" in site.run("unbilled").stdout


def test_a_readers_sheet_is_answered_line_by_line_and_counts_once(site: Site, tmp_path: Path) -> None:
    sheet = tmp_path / "route.csv"
    sheet.write_text(
        "meter,at,value,road,mark\nS-1,2026-05-21,601,dials,R-7\nS-1,2026-05-11,301,dials,R-7\n"
        "S-9,2026-05-11,5,dials,R-7\nS-1,2026-06-11,2110,dials,R-7\nS-1,soon,1,dials,R-7\n"
    )
    words = ("read-sheet", str(sheet), "--unit", "kWh", "--as", "desk@utility.example", "--json")
    first = site.run(*words, told=f"{PASSWORD}\n")
    assert first.exit_code == 1
    rows = lines(first.stdout)
    assert [(r["line"], r["state"]) for r in rows] == [
        (2, "accepted"), (3, "accepted"), (4, "refused"), (5, "held"), (6, "refused"),
    ]  # fmt: skip
    again = lines(site.run(*words, told=f"{PASSWORD}\n").stdout)
    assert [r["read"] for r in again] == [r["read"] for r in rows]
    told = json.loads(site.run("reads", "S-1", "--json").stdout)
    assert [r["value"] for r in told["reads"]] == [301_000, 601_000, 2_110_000]
    assert [u["usage_wh"] for u in told["usage"]] == [300_000, 300_000]
