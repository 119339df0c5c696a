"""Decisions in validation runs: obeyed by every run, undone by a later row, and never more days than they touch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.mdm.test_validation import FIRST, LAST, NOW, SCOPE, ZONE, Territory, readings, registers

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.quality import Method, QualityState
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.editing.decision import Decision, DecisionKind, DecisionRefusedError, Target
from openami.mdm.editing.limits import EditLimits
from openami.mdm.editing.ports import DecisionState, Effect
from openami.mdm.registry.records import Affected, Installation, Meter, ServicePoint
from openami.mdm.validation.run import Validation
from openami.mdm.validation.writing import RunReport
from openami.mdm.vee.grid import grid_of

pytestmark = pytest.mark.engines
PERSON, SECOND = uuid4(), uuid4()
DAY = 10
SLIGHT = Effect(days=1)


class Desk(Territory):
    """A territory whose runs obey decisions."""

    decisions: PostgresDecisions

    def validation(self) -> Validation:
        return Validation(registry=self.registry, store=self.store, book=self.book, decisions=self.decisions)

    def span(self, index: int, lo: int, hi: int, **more: Any) -> Target:
        period = Period(*(instant_from_epoch_s(int(self.grid.edge_s[c])) for c in (lo, hi)))
        return Target(self.points[index], more.pop("channel", Channel.DELIVERED), period, **more)

    async def decide(
        self,
        kind: DecisionKind,
        *targets: Target,
        at: datetime = NOW,
        order: UUID | None = None,
        effect: Effect = SLIGHT,
        **more: Any,
    ) -> Decision:
        made = Decision(uuid4(), kind, targets, "the meter was looked at", PERSON, at, **more)
        days = [self.affected(t) for t in targets]
        await self.decisions.keep(made, effect, days, order_id=order, real=NOW)
        return made

    def affected(self, target: Target) -> Affected:
        first, last = (i.astimezone(ZONE).date() for i in (target.period.start, target.period.end))
        return Affected(target.service_point_id, first, last)

    async def asked(self) -> list[tuple[UUID | None, date, date, str]]:
        found = await self.book.requests(limit=100)
        return [(r.service_point_id, r.first, r.last, r.reason) for r in found if r.reason == "decision"]

    async def one_day(self, index: int, day: int, channel: Channel = Channel.DELIVERED) -> Any:
        on = self.grid.day(day)
        (row,) = (await self.store.days(SCOPE, [self.points[index]], channel, on, on)).rows()
        return row

    async def sent(self, count: int) -> None:
        await self.place(count)
        for index in range(count):
            await self.send(index, np.arange(self.grid.columns), f"r{index}")
            await self.read(index, self.grid.day_at, f"k{index}")


@pytest.fixture
async def desk(postgres: PostgresEngine, fake_store: Any) -> AsyncIterator[Desk]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    made = Desk(PostgresRegistry(engine), PostgresBook(engine), fake_store, grid_of(ZONE, FIRST, LAST, 900))
    made.decisions = PostgresDecisions(engine)
    yield made
    await engine.dispose()


async def test_an_edit_is_a_new_version_with_its_state_and_undoing_it_another(desk: Desk) -> None:
    await desk.sent(2)
    await desk.run()
    at = int(desk.grid.day_at[DAY]) + 40
    edit = await desk.decide(DecisionKind.REPLACE, desk.span(0, at, at + 2, values=(11, 12)))
    day = desk.grid.day(DAY)
    assert await desk.asked() == [(desk.points[0], day, day, "decision")]
    later = NOW + timedelta(hours=1)
    assert await desk.run(day, day, later) == RunReport(1, 1)
    row = await desk.one_day(0, DAY)
    assert (row.version, row.values[40:42].tolist()) == (2, [11, 12])
    assert row.quality[40:42].tolist() == [QualityState.EDITED] * 2
    assert row.method[40:42].tolist() == [Method.MANUAL] * 2
    assert (await desk.run(known_at=later)).versions == 0
    found = await desk.book.findings([desk.points[0]], day, day, limit=9)
    assert [f.rule for f in found] == ["sum_check"]
    assert await desk.decisions.undone(edit.id, by=SECOND, reason="wrong day", at=later, real=NOW)
    assert not await desk.decisions.undone(edit.id, by=SECOND, reason="wrong day", at=later, real=NOW)
    assert (await desk.run(day, day, later + timedelta(hours=1))).versions == 1
    row = await desk.one_day(0, DAY)
    assert (row.version, int(row.values[40])) == (3, int(desk.truth[0][at]))
    head = await desk.decisions.head(edit.id)
    assert (head.state, head.decision.undone_by) == (DecisionState.UNDONE, SECOND)
    old = await desk.store.days(SCOPE, desk.points[:1], Channel.DELIVERED, day, day, as_known_at=later)
    assert old.version.tolist() == [2]


async def test_what_one_person_decided_alone_is_added_up_by_place_and_by_day(desk: Desk) -> None:
    await desk.place(2)
    day, slice_ = timedelta(days=1), Effect(days=1, most_wh=200_000, up_wh=200_000, places_changed=1)

    async def alone(by: UUID, index: int, at: datetime = NOW) -> tuple[int, int, int]:
        found = await desk.decisions.alone(by, [desk.points[index]], place_since=at - 45 * day, since=at - day)
        return found.most_wh, found.up_wh + found.down_wh, found.places_changed

    assert await alone(PERSON, 0) == (0, 0, 0)
    for index, at, order in ((0, NOW, None), (1, NOW, None), (0, NOW - 5 * day, None), (0, NOW, uuid4())):
        await desk.decide(DecisionKind.ACCEPT, desk.span(index, 0, 4), at=at, order=order, effect=slice_)
    assert await alone(PERSON, 0) == (400_000, 400_000, 2)
    assert await alone(PERSON, 1) == (200_000, 400_000, 2)
    assert await alone(SECOND, 0) == (0, 0, 0)
    assert await alone(PERSON, 0, NOW + 42 * day) == (200_000, 0, 0)
    before = await desk.decisions.alone(PERSON, desk.points[:1], place_since=NOW - 45 * day, since=NOW - day)
    assert EditLimits().needs_second(slice_) is None
    assert "600.0 kWh" in (EditLimits().needs_second(slice_, before) or "")


async def test_an_acceptance_closes_the_finding_without_a_new_version_and_its_undoing_opens_it(desk: Desk) -> None:
    await desk.sent(1)
    lost = np.arange(int(desk.grid.day_at[DAY]) + 10, int(desk.grid.day_at[DAY]) + 30)
    desk.store.intervals = {k: v for k, v in desk.store.intervals.items() if v.start not in desk.grid.start_s[lost]}
    await desk.run()
    day, places = desk.grid.day(DAY), desk.points
    assert [f.rule for f in await desk.book.findings(places, day, day, limit=9)] == ["missing"]
    accepted = await desk.decide(DecisionKind.ACCEPT, desk.span(0, int(lost[0]), int(lost[-1]) + 1))
    assert await desk.run(day, day) == RunReport(0, 1)
    assert await desk.book.findings(places, day, day, limit=9) == []
    assert (await desk.one_day(0, DAY)).version == 1
    assert await desk.run(day, day) == RunReport(0, 0)
    await desk.decisions.undone(accepted.id, by=PERSON, reason="it was not", at=NOW, real=NOW)
    assert await desk.run(day, day) == RunReport(0, 1)
    assert [f.rule for f in await desk.book.findings(places, day, day, limit=9)] == ["missing"]


async def test_a_clock_that_was_an_hour_wrong_is_put_right_for_its_days_alone(desk: Desk) -> None:
    await desk.place(1)
    grid, truth = desk.grid, desk.truth[0]
    lo, hi = int(grid.day_at[5]), int(grid.day_at[8])
    start = grid.start_s.copy()
    start[lo:hi] -= 3600
    keep = np.ones(grid.columns, bool)
    # In the hour that the clock went back, stamps of the hour before it would come a second time.
    keep[lo : lo + 4] = False
    await desk.store.write_readings(readings(desk.meters[0], start[keep], truth[keep]), token="r")
    total = (desk.bases[0] + np.concatenate([[0], np.cumsum(truth)])[grid.day_at]) % 10_000_000
    at = grid.edge_s[grid.day_at].copy()
    at[6:9] -= 3600
    await desk.store.write_registers(registers(desk.meters[0], at, total), token="k")
    await desk.run()
    assert (await desk.one_day(0, 6)).values.tolist() != truth[grid.day_at[6] : grid.day_at[7]].tolist()
    wrong = desk.span(0, lo, hi - 4)
    await desk.decide(DecisionKind.SHIFT_CLOCK, wrong, shift_s=3600)
    report = await desk.run(grid.day(4), grid.day(8), NOW + timedelta(hours=1))
    value, quality, versions = await desk.values(0)
    lost = np.arange(lo, lo + 4)
    assert np.flatnonzero(quality != QualityState.ACTUAL).tolist() == lost.tolist()
    assert np.delete(value, lost).tolist() == np.delete(truth, lost).tolist()
    assert value[lost].sum() == truth[lost].sum()
    changed = {d for d, v in versions.items() if v == 2}
    assert changed <= {grid.day(d) for d in range(5, 8)}
    assert report.versions == len(changed) == 3


async def test_crossed_channels_change_places_and_both_of_them_add_up(desk: Desk) -> None:
    await desk.place(1)
    grid, point, meter = desk.grid, desk.points[0], uuid4()
    delivered, received = desk.truth[0], desk.truth[0][::-1] // 3
    other = uuid4()
    await desk.registry.add_service_points([ServicePoint(other, str(ZONE), NOW)])
    await desk.registry.add_meters([Meter(meter, "S-crossed", NOW, capacity_wh=10**9)])
    start = instant_from_epoch_s(int(grid.edge_s[0]))
    ends = {Channel.DELIVERED: 500, Channel.RECEIVED: 100}
    await desk.registry.install([Installation(uuid4(), other, meter, start, in_reads=ends)], at=NOW)
    desk.points[0] = other
    for channel, truth, base in ((Channel.DELIVERED, received, 500), (Channel.RECEIVED, delivered, 100)):
        rows = readings(meter, grid.start_s, truth)
        rows.channel[:] = channel
        await desk.store.write_readings(rows, token=f"r{channel}")
        total = base + np.concatenate([[0], np.cumsum(truth)])[grid.day_at]
        reads = registers(meter, grid.edge_s[grid.day_at], total)
        reads.channel[:] = channel
        await desk.store.write_registers(reads, token=f"k{channel}")
    await desk.run()
    await desk.decide(DecisionKind.SWAP_CHANNELS, desk.span(0, 0, grid.columns))
    await desk.run(known_at=NOW + timedelta(hours=1))
    for channel, truth in ((Channel.DELIVERED, delivered), (Channel.RECEIVED, received)):
        table = await desk.store.days(SCOPE, [other], channel, FIRST, LAST)
        assert np.concatenate([r.values for r in table.rows()]).tolist() == truth.tolist()
        assert set(np.unique(table.quality)) == {QualityState.ACTUAL}
    assert await desk.book.findings([other], FIRST, LAST, limit=9) == []
    assert point != other


async def test_a_decision_that_waits_for_a_second_person_is_obeyed_by_no_run(desk: Desk) -> None:
    await desk.sent(1)
    await desk.run()
    at = int(desk.grid.day_at[DAY])
    edit = await desk.decide(DecisionKind.REPLACE, desk.span(0, at, at + 1, values=(5,)), order=uuid4())
    assert await desk.asked() == []
    assert (await desk.run()).versions == 0
    assert (await desk.decisions.head(edit.id)).state is DecisionState.WAITING
    assert await desk.decisions.approved(edit.id, by=SECOND, at=NOW, real=NOW)
    assert not await desk.decisions.approved(edit.id, by=SECOND, at=NOW, real=NOW)
    assert not await desk.decisions.withdrawn(edit.id, by=PERSON, at=NOW, real=NOW)
    assert len(await desk.asked()) == 1
    assert (await desk.run()).versions == 1
    head = await desk.decisions.head(edit.id)
    assert (head.state, head.decision.approved_by) == (DecisionState.IN_FORCE, SECOND)


async def test_a_withdrawn_decision_can_never_come_into_force(desk: Desk) -> None:
    await desk.sent(1)
    edit = await desk.decide(DecisionKind.ESTIMATE_AGAIN, desk.span(0, 0, 4), order=uuid4())
    assert await desk.decisions.withdrawn(edit.id, by=PERSON, at=NOW, real=NOW)
    assert not await desk.decisions.approved(edit.id, by=SECOND, at=NOW, real=NOW)
    assert (await desk.decisions.head(edit.id)).state is DecisionState.WITHDRAWN


async def test_a_decision_is_kept_once_and_about_places_that_are_registered(desk: Desk) -> None:
    await desk.place(1)
    edit = await desk.decide(DecisionKind.ESTIMATE_AGAIN, desk.span(0, 0, 4))
    with pytest.raises(DecisionRefusedError, match="already"):
        await desk.decisions.keep(edit, Effect(), [desk.affected(edit.targets[0])], order_id=None, real=NOW)
    desk.points[0] = uuid4()
    with pytest.raises(DecisionRefusedError, match="not registered"):
        await desk.decide(DecisionKind.ESTIMATE_AGAIN, desk.span(0, 0, 4))
    assert [h.decision for h in await desk.decisions.heads()] == [edit]
    assert await desk.decisions.whole(edit.id) == edit


@pytest.mark.parametrize("table", ["decision", "decision_target", "decision_step"])
async def test_the_database_lets_nobody_alter_or_delete_a_decision(
    desk: Desk, postgres: PostgresEngine, table: str
) -> None:
    await desk.place(1)
    await desk.decide(DecisionKind.ESTIMATE_AGAIN, desk.span(0, 0, 4))
    words = f"host={postgres.sockets} user=openami_mdm dbname=openami"
    for statement in ("delete from mdm.{}", "update mdm.{} set decision_id = gen_random_uuid()"):
        with psycopg.connect(words) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(psycopg.sql.SQL(statement).format(psycopg.sql.Identifier(table)))
