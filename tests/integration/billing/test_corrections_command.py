"""People at corrections: what waits, what a preview says, what they decide, who else must agree, and what is logged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.integration.billing.test_corrections import LATE, LATER, OCTOBER, Billed, billed
from typer.testing import CliRunner

from openami.app.billing import correction_desk, correction_room, signal_desk
from openami.app.billing.bill_room import bill_room
from openami.app.billing.signal_desk import SignalRefusedError
from openami.app.commands import corrections, ledger, rates_signals, registry_group
from openami.app.devices import fact_orders
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import SignInRefusedError
from openami.app.settings import Home, Settings, real_now
from openami.billing.correction.decision import CorrectionRefusedError
from openami.billing.correction.effect import CorrectionLimits
from openami.billing.correction.work import Corrections
from openami.billing.signal.statement import SignalKind
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.mdm.registry.facts import FactKind
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.order import OrderRefusedError
from openami.security.access.role import Role
from openami.security.adapters.row_security import row_secured_engine
from openami.security.audit.entry import AuditEntry

__all__ = ["billed"]
pytestmark = pytest.mark.engines
PEOPLE = {"anna": Role.ENGINEER, "ben": Role.OPERATOR, "vera": Role.VIEWER}
WHY = ("--reason", "late readings came in")


@dataclass
class Office:
    """Places with bills, people, and a command line."""

    billed: Billed
    home: Path
    postgres: PostgresEngine

    async def says(self, *words: str, by: str = "anna", app: typer.Typer = corrections.app) -> Any:
        """Return the document that a command prints; raise what it is refused with."""
        line = [*words, "--home", str(self.home), "--json", "--as", by]
        result = await asyncio.to_thread(CliRunner().invoke, app, line, input=f"{by}-secret\n")
        if isinstance(result.exception, OpenAmiError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        lines = [one for one in result.stdout.splitlines() if one.startswith(("{", "["))]
        return json.loads(lines[-1]) if lines else result.output

    async def shows(self, *words: str, by: str = "anna", app: typer.Typer = corrections.app) -> str:
        """Return what a command prints for people."""
        line = [*words, "--home", str(self.home), "--as", by]
        result = await asyncio.to_thread(CliRunner().invoke, app, line, input=f"{by}-secret\n")
        assert result.exit_code == 0, result.output
        return result.output

    async def looks(self) -> list[tuple[str, str, bool, int]]:
        """Return what the log holds, oldest first."""
        engine = create_async_engine(self.postgres.url(SUPERUSER))
        async with engine.connect() as connection:
            bodies = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).scalars()
            entries = [AuditEntry.from_canonical(bytes(body)) for body in bodies]
        await engine.dispose()
        return [(e.query, e.action, e.allowed, len(e.subjects)) for e in entries]


@pytest.fixture
async def office(billed: Billed, postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=real_now(), domain_origin=LATER).save()
    store = billed.world.data.store

    class Connected:
        def __init__(self, _: Path) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def close(self) -> None:
            pass

    monkeypatch.setattr(correction_room, "SocketStore", Connected)
    monkeypatch.setattr(correction_room, "home_rates", lambda _: base_rates())
    access = row_secured_engine(postgres.url("openami_access"))
    people = [NewUser(n, frozenset({role}), f"{n}-secret", display_name=n) for n, role in PEOPLE.items()]
    await accounts_of(Settings.load(short_tmp), access, RealClock()).register_users(people)
    await access.dispose()
    for place in range(2):
        await billed.change(900, place=place)
    await billed.world.billing.find_corrections(LATER, first=OCTOBER, end=date(2026, 11, 1))
    return Office(billed, short_tmp, postgres)


async def test_one_person_lists_previews_and_corrects_and_the_ledger_is_sound(office: Office) -> None:
    assert (await office.says("weigh")) == {"open": 2, "tolerated": 0, "unmakable": 0}
    (case,) = await office.says("list")
    assert (case["customers"], len(case["bills"]), case["by"]) == (2, 2, "15.79")
    preview = await office.says("preview", case["cause"])
    assert (preview["state"], preview["second_person"], preview["effect"]["bills"]) == ("preview", None, 2)
    assert [len(await office.billed.bills(p)) for p in range(3)] == [1, 1, 1], "a preview changes nothing"
    done = await office.says("decide", case["cause"], *WHY, "--yes")
    assert done["state"] == "in_force"
    assert [len(await office.billed.bills(p)) for p in range(3)] == [2, 2, 1]
    place = str(office.billed.world.points[0])
    (adjustment,) = await office.says("adjustments", place)
    assert adjustment["by"] == "8.15"
    assert adjustment["words"].startswith("Your bill for October 1 to October 31, 2026 was corrected, because better")
    (decision,) = await office.says("decisions")
    assert (decision["state"], decision["approved_by"], decision["reason"]) == ("in_force", None, WHY[1])
    check = await office.says("check", app=ledger.app)
    assert (check["is_sound"], check["faults"]) == (True, [])
    shown = await office.says("show", place, app=ledger.app)
    assert [e["kind"] for e in shown["entries"]] == ["bill", "bill", "reversal"]
    logged = [(q, a) for q, a, allowed, _ in await office.looks() if allowed]
    assert ("corrections.decide", "change") in logged
    assert ("corrections.preview", "read") in logged


async def test_beyond_the_limit_a_second_person_approves_and_the_first_cannot(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = CorrectionLimits(customers=1)
    plain = correction_desk.CorrectionDesk
    monkeypatch.setattr(correction_desk, "CorrectionDesk", lambda settings: plain(settings, strict))
    await office.says("weigh")
    (case,) = await office.says("list", by="ben")
    kept = await office.says("decide", case["cause"], *WHY, "--yes")
    assert (kept["state"], kept["second_person"]) == (
        "waiting", "bills of 2 customers change, the limit is 1",
    )  # fmt: skip
    assert len(await office.billed.bills()) == 1
    with pytest.raises(OrderRefusedError):
        await office.says("approve", kept["decision"])
    with pytest.raises(CorrectionRefusedError, match="decision that waits"):
        await office.says("decide", case["cause"], *WHY, "--yes", by="ben")
    done = await office.says("approve", kept["decision"], by="ben")
    assert (done["state"], done["approved_by"] not in {None, done["by"]}) == ("in_force", True)
    assert len(await office.billed.bills()) == 2
    with pytest.raises(CorrectionRefusedError, match="nothing of it waits"):
        await office.says("withdraw", kept["decision"])


@pytest.mark.attack("A16")
async def test_slices_of_one_person_add_up_and_so_do_bills_that_are_left(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = correction_desk.CorrectionDesk
    strict = CorrectionLimits(total=Decimal(10))
    monkeypatch.setattr(correction_desk, "CorrectionDesk", lambda settings: plain(settings, strict))
    await office.says("weigh")
    (case,) = await office.says("list")
    whole = await office.says("preview", case["cause"], "--leave")
    assert "15.79 change in all" in whole["second_person"], "to leave money is to decide about it"
    one, two = (str(office.billed.world.points[p]) for p in range(2))
    left = await office.says("decide", case["cause"], *WHY, "--place", one, "--leave", "--yes")
    assert left["state"] == "in_force"
    kept = await office.says("decide", case["cause"], *WHY, "--place", two, "--yes")
    assert kept["state"] == "waiting"
    assert "with what the same person decided alone lately, 15.79 change in all" in kept["second_person"]
    other = await office.says("preview", case["cause"], "--place", two, by="ben")
    assert other["second_person"] is None


@pytest.mark.attack("A16")
async def test_two_accounts_of_one_human_share_what_one_person_may_decide_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = correction_desk.CorrectionDesk
    monkeypatch.setattr(
        correction_desk, "CorrectionDesk", lambda settings: plain(settings, CorrectionLimits(total=Decimal(10)))
    )
    access = row_secured_engine(office.postgres.url("openami_access"))
    human = uuid4()
    twins = [
        NewUser(name, frozenset({Role.OPERATOR}), f"{name}-secret", display_name=name, human_id=human)
        for name in ("carl", "carl-night")
    ]
    await accounts_of(Settings.load(office.home), access, RealClock()).register_users(twins)
    await access.dispose()
    await office.says("weigh")
    (case,) = await office.says("list")
    one, two = (str(office.billed.world.points[p]) for p in range(2))
    assert (await office.says("decide", case["cause"], *WHY, "--place", one, "--yes", by="carl"))["state"] == "in_force"
    kept = await office.says("decide", case["cause"], *WHY, "--place", two, "--yes", by="carl-night")
    assert kept["state"] == "waiting"
    assert (await office.says("preview", case["cause"], "--place", two, by="ben"))["second_person"] is None


@pytest.mark.attack("A16")
async def test_nobody_goes_on_with_an_approved_decision_unless_signed_in_allowed_and_logged(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = correction_desk.CorrectionDesk
    monkeypatch.setattr(
        correction_desk, "CorrectionDesk", lambda settings: plain(settings, CorrectionLimits(customers=1))
    )
    await office.says("weigh")
    (case,) = await office.says("list")
    kept = await office.says("decide", case["cause"], *WHY, "--yes")
    carried = Corrections.carry_out

    async def stopped(*_: object, **__: object) -> bool:
        raise CorrectionRefusedError("the power fails between approval and work")

    monkeypatch.setattr(Corrections, "carry_out", stopped)
    with pytest.raises(CorrectionRefusedError, match="power fails"):
        await office.says("approve", kept["decision"], by="ben")
    monkeypatch.setattr(Corrections, "carry_out", carried)
    with pytest.raises(SignInRefusedError):
        await office.says("approve", kept["decision"], by="nobody")
    with pytest.raises(AccessDeniedError):
        await office.says("approve", kept["decision"], by="vera")
    assert len(await office.billed.bills()) == 1
    assert (await office.says("approve", kept["decision"], by="ben"))["state"] == "in_force"
    approvals = [(allowed, places) for query, _, allowed, places in await office.looks() if query.endswith("approve")]
    assert approvals == [(True, 2), (False, 2), (True, 2)]


async def test_a_withdrawal_is_of_whoever_withdrew(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = correction_desk.CorrectionDesk
    monkeypatch.setattr(
        correction_desk, "CorrectionDesk", lambda settings: plain(settings, CorrectionLimits(customers=1))
    )
    await office.says("weigh")
    (case,) = await office.says("list")
    kept = await office.says("decide", case["cause"], *WHY, "--yes")
    await office.says("withdraw", kept["decision"], by="ben")
    engine = create_async_engine(office.postgres.url(SUPERUSER))
    async with engine.connect() as connection:
        found = await connection.execute(text("select by_user from billing.correction_step order by step_id"))
        asked, taken_back = found.scalars().all()
    await engine.dispose()
    assert asked != taken_back


async def test_what_cannot_be_is_refused_in_words_and_a_viewer_sees_nothing(office: Office) -> None:
    await office.says("weigh")
    with pytest.raises(AccessDeniedError):
        await office.says("list", by="vera")
    with pytest.raises(AccessDeniedError):
        await office.says("check", by="vera", app=ledger.app)
    with pytest.raises(CorrectionRefusedError, match="nothing is open"):
        await office.says("preview", "edit:none")
    (case,) = await office.says("list")
    with pytest.raises(CorrectionRefusedError, match="one customer's"):
        await office.says("preview", case["cause"], "--tampering")
    with pytest.raises(CorrectionRefusedError, match="5 to 500"):
        await office.says("decide", case["cause"], "--reason", "no", "--yes")
    with pytest.raises(MisuseError, match="not over yet"):
        await office.says("accrue", "2026-11", app=ledger.app)


async def test_the_tables_say_what_the_documents_say(office: Office) -> None:
    await office.says("weigh")
    (case,) = await office.says("list")
    assert "2 bills of 2 customers: +148.8 kWh, +15.79" in await office.shows("list")
    told = await office.shows("preview", case["cause"])
    assert "2 bills of 2 customers are corrected: +15.79 and -0.00, at most 8.15 for one" in told
    assert "Nothing is changed yet" in told
    left = await office.shows("decide", case["cause"], *WHY, "--leave", "--yes")
    assert "2 bills stay as they are." in left
    assert "No bill of this place" in await office.shows("adjustments", str(office.billed.world.points[0]))
    assert "Every Wh is accounted for." in await office.shows("balance", "--cycle", "2026-10", app=ledger.app)
    journal = await office.shows("journal", "--from", "2026-11-01", "--to", "2026-11-30", app=ledger.app)
    assert "receivable" in journal
    assert "The ledger adds up" in await office.shows("check", app=ledger.app)
    assert LATE.kind.value == case["cause"].split(":")[0]


async def test_a_person_states_peaks_of_the_system_and_a_signal_that_no_rate_follows_is_refused(office: Office) -> None:
    told = office.home / "peaks.toml"
    told.write_text(
        'format = "openami-signals/1"\nsource = "report 10"\n[[peaks]]\nfirst = 2026-10-01T00:00:00-05:00\n'
        "end = 2026-11-01T00:00:00-05:00\nat = [2026-10-20T16:00:00-05:00]\n"
    )
    look = await office.says("load", str(told), app=rates_signals.app)
    assert (look["state"], look["places"], look["second_person"]) == ("preview", 0, None)
    assert await office.says("list", app=rates_signals.app) == [], "a look keeps nothing"
    kept = await office.says("load", str(told), "--accept", look["mark"], app=rates_signals.app)
    (one,) = kept["statements"]
    assert (kept["state"], one["kind"], one["signal"], one["holds"], one["source"]) == (
        "stated", "peaks", "system", 1, "report 10",
    )  # fmt: skip
    assert [r["source"] for r in await office.says("list", app=rates_signals.app)] == ["report 10"]
    with pytest.raises(SignalRefusedError, match="look again"):
        await office.says("load", str(told), "--accept", look["mark"], app=rates_signals.app)
    told.write_text(told.read_text().replace("[[peaks]]", '[[events]]\nsignal = "hot"').replace("at = [2", "# ["))
    with pytest.raises(SignalRefusedError, match="no rate of this home follows events of 'hot'"):
        await office.says("load", str(told), app=rates_signals.app)
    assert len(await office.says("list", app=rates_signals.app)) == 1
    logged = [(q, a) for q, a, allowed, _ in await office.looks() if allowed]
    assert logged.count(("rates.signals", "change")) == 1


PRICED = """
format = "openami-signals/1"
source = "the market's own page"
[[prices]]
signal = "day_ahead"
first = 2026-10-01T00:00:00-05:00
interval_s = 86400
prices = [{prices}]
"""


@pytest.mark.attack("A16")
async def test_one_person_prices_no_more_customers_by_a_statement_than_by_a_correction(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, rates = signal_desk.SignalDesk, base_rates()
    monkeypatch.setattr(signal_desk, "SignalDesk", lambda settings: plain(settings, CorrectionLimits(customers=2)))
    follows = {SignalKind.PRICES: "day_ahead"}
    monkeypatch.setattr(
        signal_desk, "followed_by",
        lambda schedule, _: list(follows.items()) if schedule.code == "ameren-mo-anytime" else [],
    )  # fmt: skip
    real = bill_room

    @asynccontextmanager
    async def with_a_market_rate(settings: Settings) -> AsyncIterator[Any]:
        async with real(settings) as billing:
            version = next(iter(rates.values())).versions[0]
            periods = tuple(replace(p, signal="day_ahead") for p in version.periods)
            market = replace(next(iter(rates.values())), versions=(replace(version, periods=periods),))
            billing.rates["market"] = market
            yield billing

    monkeypatch.setattr(signal_desk, "bill_room", with_a_market_rate)
    file = office.home / "prices.toml"
    file.write_text(PRICED.format(prices='"0.04", "0.05"'))
    look = await office.says("load", str(file), app=rates_signals.app)
    assert (look["places"], look["second_person"]) == (3, "it prices bills of 3 customers, the limit is 2")
    kept = await office.says("load", str(file), "--accept", look["mark"], app=rates_signals.app)
    assert (kept["state"], await office.says("list", app=rates_signals.app)) == ("waiting", [])
    with pytest.raises(OrderRefusedError):
        await office.says("approve", kept["order"], app=rates_signals.app)
    with pytest.raises(AccessDeniedError):
        await office.says("approve", kept["order"], app=rates_signals.app, by="vera")
    for _ in range(2):
        (stated,) = await office.says("approve", kept["order"], app=rates_signals.app, by="ben")
        assert (stated["lowest"], stated["highest"]) == ("0.04", "0.05")
    assert len(await office.says("list", app=rates_signals.app)) == 1, "once, however often it is approved"
    with pytest.raises(SignalRefusedError, match="it counts"):
        await office.says("withdraw", kept["order"], app=rates_signals.app, by="ben")
    file.write_text(PRICED.format(prices='"9.99"'))
    over = await office.says("load", str(file), app=rates_signals.app)
    assert [r["source"] for r in over["takes_the_place_of"]] == ["the market's own page"]
    waits = await office.says("load", str(file), "--accept", over["mark"], app=rates_signals.app)
    await office.says("withdraw", waits["order"], app=rates_signals.app)
    with pytest.raises((SignalRefusedError, OrderRefusedError)):
        await office.says("approve", waits["order"], app=rates_signals.app, by="ben")
    states = [r["state"] for r in await office.says("orders", app=rates_signals.app)]
    assert states == ["withdrawn", "approved by two people"]
    assert len(await office.says("list", app=rates_signals.app)) == 1


@pytest.mark.attack("A16")
async def test_one_person_prices_no_more_places_by_facts_than_by_a_correction_in_slices_neither(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fact_orders, "MOST_ALONE", 1)
    first, second = office.billed.world.points[:2]
    told = ("municipality", "Kirkwood", "--from", "2026-10-11", "--reason", "annexed")

    async def enters(*words: str, by: str = "anna") -> Any:
        look = await office.says(*words, app=registry_group.app, by=by)
        return await office.says(*words, "--accept", look["mark"], app=registry_group.app, by=by)

    assert (await enters("fact", str(first), *told))["accepted"] is True
    look = await office.says("fact", str(second), *told, app=registry_group.app)
    typed = (*told, "--accept", look["mark"], "--home", str(office.home), "--json", "--as", " ANNA ")
    answer = await asyncio.to_thread(
        CliRunner().invoke, registry_group.app, ["fact", str(second), *typed], input="anna-secret\n"
    )
    kept = json.loads(answer.stdout.splitlines()[-1])
    assert kept["accepted"] is False
    assert kept["second_person"] == (
        "with what anna entered in the last day, it says by what the bills of 2 places are priced, the limit is 1"
    )
    registry = office.billed.world.data.registry
    assert len(await registry.facts.of([first, second], kinds=[FactKind.MUNICIPALITY])) == 1
    with pytest.raises(OrderRefusedError):
        await enters("approve", kept["order"])
    with pytest.raises(AccessDeniedError):
        await enters("approve", kept["order"], by="vera")
    assert (await enters("approve", kept["order"], by="ben"))["accepted"] is True
    held = await registry.facts.of([second], kinds=[FactKind.MUNICIPALITY])
    assert [(f.value, f.entered_by) for f in held] == [("Kirkwood", "anna, approved by a second person")]
    with pytest.raises(OpenAmiError, match="are entered"):
        await enters("approve", kept["order"], by="ben")
    waits = await enters("fact", str(second), *told[:1], "Ladue", *told[2:])
    assert await office.says("withdraw-order", waits["order"], app=registry_group.app) == {
        "order": waits["order"], "state": "withdrawn",
    }  # fmt: skip
    with pytest.raises(OpenAmiError, match="withdrawn"):
        await enters("approve", waits["order"], by="ben")
    assert (await enters("fact", str(second), *told[:1], "Ladue", *told[2:], by="ben"))["accepted"] is True


async def test_municipalities_of_many_places_come_in_one_file_all_or_none(office: Office) -> None:
    first, second = office.billed.world.points[:2]
    file = office.home / "towns.csv"
    head = "place,kind,value,from,until\n"
    file.write_text(f"{head}{first},municipality,O'Fallon,2026-10-11,\n{second},municipality,<b>,2026-10-11,\n")
    with pytest.raises(MisuseError, match=r"towns\.csv, line 3: municipality: '<b>' is no name"):
        await office.says("facts", str(file), "--reason", "annexed", app=registry_group.app)
    file.write_text(file.read_text().replace("<b>", "St. Louis"))
    look = await office.says("facts", str(file), "--reason", "annexed", app=registry_group.app)
    assert (look["accepted"], len(look["bills"])) == (False, 2), "the issued bills of both months are named"
    honest = file.read_text()
    file.write_text(honest.replace("St. Louis", "Kirkwood"))
    with pytest.raises(MisuseError, match="look again"):
        await office.says("facts", str(file), "--reason", "annexed", "--accept", look["mark"], app=registry_group.app)
    for more, words in (
        (f"{second},municipality,Kirkwood,2026-10-11,", "line 3 says something of the same place, kind and start"),
        (f"{second},municipality,Kirkwood,0001-01-01,", "no day of our time"),
        (f"{second},municipality,=cmd(),2026-10-12,", "is no name"),
        ("nowhere\x1b[2J,municipality,Kirkwood,2026-10-12,", "line 4: 'nowhere"),
    ):
        file.write_text(f"{honest}{more}\n")
        with pytest.raises(MisuseError, match=words) as refused:
            await office.says("facts", str(file), "--reason", "annexed", app=registry_group.app)
        assert str(refused.value).isprintable()
    file.write_text(honest)
    done = await office.says(
        "facts", str(file), "--reason", "annexed", "--accept", look["mark"], app=registry_group.app
    )
    assert done["accepted"] is True
    facts = await office.billed.world.data.registry.facts.of([first, second], kinds=[FactKind.MUNICIPALITY])
    assert {f.service_point_id: (f.value, f.reason) for f in facts} == {
        first: ("O'Fallon", "annexed"),
        second: ("St. Louis", "annexed"),
    }
