"""What the registry knows of a place, and what its meter's other channels say, reach the rules in every run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.integration.mdm.test_decisions import DAY, Desk, desk  # noqa: F401
from tests.integration.mdm.test_validation import FIRST, LAST, NOW, SCOPE, ZONE, readings, registers

from openami.contracts.channel import Channel
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.editing.decision import DecisionKind
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.validation.places import neighborhoods

pytestmark = pytest.mark.engines


class Street(Desk):
    """Homes on one transformer, with energy and voltage."""

    async def build(self, count: int, *, flows_back: int | None = None) -> None:
        """Enter homes; one may give energy back."""
        start = instant_from_epoch_s(int(self.grid.edge_s[0]))
        self.points, self.meters = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
        dice = np.random.default_rng(5)
        shared = dice.normal(0, 4, self.grid.columns)
        points = [ServicePoint(p, str(ZONE), NOW, transformer="T-7", feeder="F-1") for p in self.points]
        await self.registry.add_service_points(points)
        await self.registry.add_meters([Meter(m, f"S-{n}", NOW, capacity_wh=10**9) for n, m in enumerate(self.meters)])
        pairs = zip(self.points, self.meters, strict=True)
        await self.registry.install([Installation(uuid4(), p, m, start) for p, m in pairs], at=NOW)
        self.volts = [np.rint(2_400 + shared + dice.normal(0, 1.5, self.grid.columns)) for _ in self.points]
        self.used = [dice.integers(60, 400, self.grid.columns) for _ in self.points]
        self.given = [np.full(self.grid.columns, 40 if n == flows_back else 0) for n in range(count)]

    async def send_all(self) -> None:
        """Send what the homes measured."""
        at = self.grid.edge_s[self.grid.day_at]
        for n, meter in enumerate(self.meters):
            columns = ((Channel.DELIVERED, self.used[n]), (Channel.RECEIVED, self.given[n]))
            for channel, value in (*columns, (Channel.VOLTAGE, self.volts[n])):
                rows = readings(meter, self.grid.start_s, value)
                rows.channel[:] = channel
                await self.store.write_readings(rows, token=f"r{n}-{channel}")
            for channel, value in columns:
                total = np.concatenate([[0], np.cumsum(value)])[self.grid.day_at]
                reads = registers(meter, at, total)
                reads.channel[:] = channel
                await self.store.write_registers(reads, token=f"k{n}-{channel}")

    async def found(self) -> set[tuple[int, Channel, str]]:
        findings = await self.book.findings(self.points, FIRST, LAST, limit=10_000)
        return {(self.points.index(f.service_point_id), f.channel, f.rule) for f in findings}

    async def say(self, index: int, kind: FactKind, value: str, day: int) -> None:
        since = instant_from_epoch_s(int(self.grid.edge_s[self.grid.day_at[day]]))
        await self.registry.facts.enter([FactEntry(self.points[index], kind, value, since)], at=NOW)


@pytest.fixture
def street(desk: Any) -> Street:  # noqa: F811
    desk.__class__ = Street
    assert isinstance(desk, Street)
    return desk


async def test_a_street_of_honest_homes_has_no_finding(street: Street) -> None:
    await street.build(5)
    await street.send_all()
    await street.run()
    assert await street.found() == set()


async def test_energy_given_back_is_found_unless_it_was_approved(street: Street) -> None:
    await street.build(4, flows_back=2)
    # Where a registry keeps no approval at all, the want of one says nothing.
    await street.say(0, FactKind.INTERCONNECTION, "6000", 0)
    await street.send_all()
    await street.run()
    assert await street.found() == {(2, Channel.RECEIVED, "reverse_unapproved")}


async def test_an_approved_roof_is_no_finding(street: Street) -> None:
    await street.build(4, flows_back=2)
    await street.say(2, FactKind.INTERCONNECTION, "6000", 0)
    await street.send_all()
    await street.run()
    assert await street.found() == set()


async def test_use_after_service_ended_or_was_cut_is_found(street: Street) -> None:
    await street.build(4)
    await street.say(1, FactKind.SERVICE, "inactive", DAY)
    await street.say(3, FactKind.SERVICE, "disconnected", DAY)
    await street.send_all()
    await street.run()
    rules = {(row, rule) for row, channel, rule in await street.found() if channel is Channel.DELIVERED}
    assert rules == {(1, "inactive_usage"), (3, "disconnected_usage")}


async def test_a_meter_that_stopped_is_told_from_a_home_without_supply_by_its_voltage(street: Street) -> None:
    await street.build(4)
    gone = slice(int(street.grid.day_at[DAY]), int(street.grid.day_at[DAY + 1]))
    street.used[0][gone] = 0
    street.used[1][gone] = 0
    street.volts[1][gone] = 0
    await street.send_all()
    await street.run()
    rules = {(row, rule) for row, channel, rule in await street.found() if channel is Channel.DELIVERED}
    assert (0, "stopped") in rules
    assert (1, "outage_zero") in rules
    assert not {row for row, _ in rules} - {0, 1}


async def test_a_clock_that_is_an_hour_late_is_told_by_the_mates_voltage(street: Street) -> None:
    await street.build(5)
    street.volts[3] = np.roll(street.volts[3], 4)
    await street.send_all()
    await street.run()
    assert {(row, rule) for row, _, rule in await street.found()} == {(3, "clock_shift")}


async def test_a_place_that_runs_again_without_its_mates_keeps_what_they_told_of_its_clock(street: Street) -> None:
    await street.build(5)
    street.volts[3] = np.roll(street.volts[3], 4)
    await street.send_all()
    await street.run()
    day = street.grid.day(DAY)
    again = await street.validation().run([street.points[3]], day, day, run_id=uuid4(), known_at=NOW)
    assert (again.versions, again.findings) == (0, 0)
    assert {(row, rule) for row, _, rule in await street.found()} == {(3, "clock_shift")}


async def test_a_clock_told_by_voltage_is_put_right_for_every_channel_of_the_meter(street: Street) -> None:
    await street.build(5)
    wrong = slice(int(street.grid.day_at[DAY]), int(street.grid.day_at[DAY + 4]))
    shown = {}
    for name in ("volts", "used"):
        shown[name] = getattr(street, name)[3].copy()
        getattr(street, name)[3][wrong] = np.roll(shown[name][wrong], 4)
    await street.send_all()
    await street.run()
    found = await street.book.findings([street.points[3]], FIRST, LAST, limit=99)
    assert {f.evidence["shift_s"] for f in found if f.rule == "clock_shift"} == {3_600}
    # The last hour of the span was read first: it is of the day's end, so the span is moved but for that hour.
    span = street.span(3, wrong.start + 4, wrong.stop, channel=Channel.VOLTAGE)
    await street.decide(DecisionKind.SHIFT_CLOCK, span, shift_s=-3_600)
    await street.run(known_at=NOW + timedelta(hours=1))
    days = [street.grid.day(d) for d in range(DAY, DAY + 4)]
    for channel, name in ((Channel.DELIVERED, "used"), (Channel.VOLTAGE, "volts")):
        table = await street.store.days(SCOPE, [street.points[3]], channel, days[0], days[-1])
        value = np.concatenate([row.values for row in table.rows()])
        assert value[4:-4].tolist() == shown[name][wrong][4:-4].tolist(), channel
    left = await street.book.findings([street.points[3]], FIRST, LAST, limit=99)
    assert "clock_shift" not in {f.rule for f in left}


def test_mates_are_those_of_the_transformer_where_they_are_together_and_of_the_feeder_else() -> None:
    rows = [ServicePoint(uuid4(), "UTC", NOW, transformer=t, feeder=f) for t, f in (
        ("T1", "F1"), ("T1", "F1"), ("T1", "F1"), ("T2", "F1"), ("", "F1"), ("T3", ""), ("", ""),
    )]  # fmt: skip
    points = [r.id for r in rows]
    together = neighborhoods(points, rows, are_together=True).tolist()
    assert together[0] == together[1] == together[2]
    assert together[3] == together[4] not in {together[0], -1}
    assert together[5] not in {-1, together[0], together[3]}
    assert together[6] == -1
    apart = neighborhoods(points, rows, are_together=False).tolist()
    assert len(set(apart[:5])) == 1
