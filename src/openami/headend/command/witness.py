"""What is switched goes into the audit log before it goes out, and a disconnection for safety calls people at once.

Source: requirement R7.1 (written before the effect, or no effect); research on utility practice (immediate alert).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from openami.headend.command.ports import CommandUnavailableError
from openami.headend.switching.blocks import BlockCode
from openami.headend.switching.journal import switch_entry
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchReason, SwitchSubject
from openami.kernel.clock import Clock
from openami.security.access.gate import AuditUnavailableError, AuditWriter
from openami.security.access.order import Order
from openami.security.watch.alert import Alert, AlertBook, AlertRule, AlertsUnavailableError


@dataclass(frozen=True, slots=True)
class AuditWitness:
    """A :class:`~openami.headend.command.switching.SwitchWitness`.

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

    async def switches(
        self, order: Order, subject: SwitchSubject, item: SwitchItem, *, passed: BlockCode | None
    ) -> None:
        """Keep that a command goes out, and call people where safety passes a block."""
        now, order_id = self.real_now(), order.subject.order_id
        is_safety = subject.reason is SwitchReason.SAFETY and subject.action is not SwitchAction.RECONNECT
        try:
            await self.audit.write(
                switch_entry(
                    self.new_id(),
                    process="command",
                    real_now=now,
                    domain_now=self.clock.now(),
                    service_point_id=item.service_point_id,
                    query=f"switch.{subject.action.value}",
                    allowed=True,
                    reason=subject.reason.value,
                    note=f"order {order_id}, meter {item.title}",
                )
            )
            if is_safety and passed is not None:
                words = f"disconnection for safety of meter {item.title}, which would be spared for any other reason"
                alert_id = uuid5(order_id, f"passed {item.title}")
                await self.alerts.raise_alert(
                    Alert(alert_id, now, AlertRule.SAFETY_PASSED_BLOCK, words, order_id, str(item.title))
                )
        except (AuditUnavailableError, AlertsUnavailableError) as error:
            raise CommandUnavailableError(f"nothing is switched that cannot be written down: {error}") from error
