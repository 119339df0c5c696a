"""What each way in which a session may fail says of its meter, and what is written down of an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.unit.headend.switching.desk import MemoryAlerts, MemoryAudit

from openami.contracts.command import Refusal
from openami.headend.command.switching import LIST_CHANGED
from openami.headend.keeping.budget import CellBudget
from openami.headend.ports import (
    DownlinkUnavailableError,
    SealingRefusedError,
    SealingUnavailableError,
    StateUnavailableError,
)
from openami.headend.profiles import UnknownProfileError, profile_of
from openami.headend.session.session import SessionFailedError
from openami.headend.session.switch_log import AuditSwitchLog
from openami.headend.session.switch_ports import SwitchEngines, SwitchWay
from openami.headend.session.switch_session import run_session
from openami.headend.switching.life import Happened, ItemCode, Report, SwitchTurn, ended
from openami.headend.switching.order import SwitchAction, SwitchReason, SwitchSubject
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.security.access.gate import AuditUnavailableError
from openami.security.audit.entry import AuditEntry
from openami.security.watch.alert import AlertRule

NOW = datetime(2026, 4, 14, 15, tzinfo=UTC)
TURN = SwitchTurn(UUID(int=1), SystemTitle(b"OAM\x00\x00\x00\x00\x01"), UUID(int=2), asked_at_s=NOW.timestamp() - 60)
CUT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)


@dataclass
class World:
    """A command process and sessions that raise what a test wants."""

    refuses: Exception | None = None
    breaks: Exception | None = None
    gives: Happened = field(default_factory=lambda: Happened(Report.ENDED, ItemCode.SWITCHED))
    profile: Callable[[SystemTitle], Any] = field(default=lambda _: profile_of("oam-1"))
    asked: int = 0

    async def seal(self, *_: Any, **__: Any) -> bytes:
        self.asked += 1
        if self.refuses is not None:
            raise self.refuses
        return b""

    async def run(self, *_: Any, **__: Any) -> Happened:
        if self.breaks is not None:
            raise self.breaks
        return self.gives

    async def happened(self, turn: SwitchTurn = TURN) -> Happened:
        anything: Any = self
        engines = SwitchEngines(anything, anything, anything, anything)
        way = SwitchWay(anything, self.profile, lambda _: (CellBudget(), 1), lambda: 0.5, lambda: NOW)
        return await run_session(engines, way, CUT, turn)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SealingRefusedError("paid", Refusal.BLOCKED), ItemCode.PAID),
        (SealingRefusedError("some new word", Refusal.BLOCKED), ItemCode.HOLD),
        (SealingRefusedError("factory", Refusal.BELOW_SECURITY_LEVEL), ItemCode.LOW_SECURITY),
        (SealingRefusedError("no keys", Refusal.UNKNOWN_TITLE), ItemCode.NO_KEYS),
        (SealingRefusedError(LIST_CHANGED, Refusal.NEEDS_APPROVAL), ItemCode.LIST_CHANGED),
        (SealingRefusedError("needs an approval", Refusal.NEEDS_APPROVAL), ItemCode.NOT_APPROVED),
    ],
)
async def test_a_refusal_of_the_command_process_ends_a_meter_before_any_air_is_used(
    error: Exception, code: ItemCode
) -> None:
    world = World(refuses=error, breaks=AssertionError("the meter was called"))
    assert await world.happened() == Happened(Report.ENDED, code)


@pytest.mark.parametrize(
    ("error", "report", "code"),
    [
        (SessionFailedError("silence"), Report.NO_ANSWER, None),
        (SessionFailedError("it does not allow it", is_final=True), Report.ENDED, ItemCode.METER_REFUSED),
        (DownlinkUnavailableError("no collector", Refusal.NO_ROUTE), Report.NO_ANSWER, None),
        (DownlinkUnavailableError("the bus is away"), Report.LATER, None),
        (DownlinkUnavailableError("busy", Refusal.BUSY), Report.LATER, None),
        (DownlinkUnavailableError("kept", Refusal.QUARANTINED), Report.LATER, ItemCode.THRESHOLD),
        (DownlinkUnavailableError("ramp", Refusal.FEEDER_CAP), Report.LATER, ItemCode.THRESHOLD),
        (DownlinkUnavailableError("a limit of 1 W", Refusal.VALUE_BOUND), Report.ENDED, ItemCode.THRESHOLD),
        (SealingUnavailableError("away"), Report.LATER, None),
        (UnknownProfileError("none"), Report.LATER, None),
    ],
)
async def test_each_failure_says_what_it_says_of_the_meter(
    error: Exception, report: Report, code: ItemCode | None
) -> None:
    found = await World(breaks=error).happened()
    assert (found.report, found.code, found.was_sent) == (report, code, False)


async def test_a_meter_without_keys_is_not_asked_for() -> None:
    world = World(profile=lambda _: None)
    assert (await world.happened()).code is ItemCode.NO_KEYS
    assert world.asked == 0


async def test_what_was_sent_before_is_asked_of_the_meter_first_and_never_called_unapproved() -> None:
    turn = replace(TURN, was_sent=True)
    world = World(breaks=SealingRefusedError("needs an approval", Refusal.NEEDS_APPROVAL))
    assert (await world.happened(turn)).code is ItemCode.UNCONFIRMED
    assert world.asked == 0


class Away(MemoryAudit):
    async def write(self, entry: AuditEntry) -> None:
        raise AuditUnavailableError("the log is away")


async def test_an_end_is_in_the_log_with_its_place_code_and_time() -> None:
    audit, alerts = MemoryAudit(), MemoryAlerts()
    log = AuditSwitchLog(audit, alerts, lambda: NOW, FixedClock(NOW))
    await log.ended(ended(TURN, ItemCode.HOLD, now_s=NOW.timestamp()), CUT)
    (entry,) = audit.entries
    assert (entry.subjects, entry.query, entry.reason, entry.allowed) == (
        (TURN.service_point_id,),
        "switch.disconnect.ended",
        "hold",
        False,
    )
    assert "60 s after its approval" in entry.note
    assert alerts.alerts == {}


async def test_people_are_called_once_for_a_changed_order_and_for_each_voltage_behind_a_switch() -> None:
    alerts = MemoryAlerts()
    log = AuditSwitchLog(MemoryAudit(), alerts, lambda: NOW, FixedClock(NOW))
    for number in range(3):
        turn = replace(TURN, title=SystemTitle(bytes(7) + bytes((number,))))
        await log.ended(ended(turn, ItemCode.LIST_CHANGED, now_s=1.0), CUT)
        await log.ended(ended(turn, ItemCode.LOAD_VOLTAGE, "120 V", now_s=1.0), None)
    rules = sorted(alert.rule for alert in alerts.alerts.values())
    assert rules == [AlertRule.LOAD_VOLTAGE] * 3 + [AlertRule.ORDER_CHANGED]


async def test_an_end_that_cannot_be_written_down_is_not_kept() -> None:
    log = AuditSwitchLog(Away(), MemoryAlerts(), lambda: NOW, FixedClock(NOW))
    with pytest.raises(StateUnavailableError):
        await log.ended(ended(TURN, ItemCode.SWITCHED, now_s=1.0), CUT)
