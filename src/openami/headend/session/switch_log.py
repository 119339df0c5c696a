"""What came of each meter of a switching order: in the audit log, and as an alert where a person must look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4, uuid5

import structlog

from openami.headend.ports import StateUnavailableError
from openami.headend.switching.journal import switch_entry
from openami.headend.switching.life import ItemCode, ItemState, SwitchTurn
from openami.headend.switching.order import SwitchSubject
from openami.kernel.clock import Clock
from openami.security.access.gate import AuditUnavailableError, AuditWriter
from openami.security.watch.alert import Alert, AlertBook, AlertRule, AlertsUnavailableError

log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class AuditSwitchLog:
    """A :class:`~openami.headend.session.switch_ports.SwitchLog`.

    Args:
        audit: the log.
        alerts: calls people.
        real_now: the host's clock.
        clock: domain time.
        new_id: makes ids of rows.
    """

    audit: AuditWriter
    alerts: AlertBook
    real_now: Callable[[], datetime]
    clock: Clock
    new_id: Callable[[], UUID] = field(default=uuid4)

    async def ended(self, turn: SwitchTurn, subject: SwitchSubject | None) -> None:
        """Write down how a meter of an order ended."""
        now, code = self.real_now(), turn.code.value if turn.code is not None else ""
        what = f".{subject.action.value}" if subject is not None else ""
        took = f", {turn.took_s:.0f} s after its approval" if turn.took_s is not None else ""
        try:
            await self.audit.write(
                switch_entry(
                    self.new_id(),
                    process="headend",
                    real_now=now,
                    domain_now=self.clock.now(),
                    service_point_id=turn.service_point_id,
                    query=f"switch{what}.ended",
                    allowed=turn.state is ItemState.DONE,
                    reason=code,
                    note=f"order {turn.order_id}, meter {turn.title}{took}",
                )
            )
            for alert in _alerts_of(turn, now):
                await self.alerts.raise_alert(alert)
        except (AuditUnavailableError, AlertsUnavailableError) as error:
            raise StateUnavailableError(f"what was switched cannot be written down: {error}") from error
        log.info("switch_ended", order=str(turn.order_id), code=code, took_s=turn.took_s)


def _alerts_of(turn: SwitchTurn, now: datetime) -> list[Alert]:
    if turn.code is ItemCode.LIST_CHANGED:
        # One for the order, not one for each of its meters.
        words = "an order is not what was approved: nothing of it is carried out"
        return [Alert(uuid5(turn.order_id, "changed"), now, AlertRule.ORDER_CHANGED, words, turn.order_id)]
    if turn.code is ItemCode.LOAD_VOLTAGE:
        device = str(turn.title)
        words = f"meter {device} stays open: {turn.words}"
        alert_id = uuid5(turn.order_id, f"load voltage {device}")
        return [Alert(alert_id, now, AlertRule.LOAD_VOLTAGE, words, turn.order_id, device)]
    return []
