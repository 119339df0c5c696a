"""Alerts: what a person must look at now. Values and a port; whoever raises one has not waited for anybody to see it.

An alert names orders and devices, never a customer, and says nothing of what a customer is held for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError

MAX_WORDS = 400


class AlertsUnavailableError(OpenAmiError):
    """The table of alerts does not answer now: try again."""


class AlertRule(StrEnum):
    """What happened. Staff screens print these in words."""

    SAFETY_ORDERED = "safety_ordered"
    """Two people have approved a disconnection for safety, which passes every block."""
    SAFETY_PASSED_BLOCK = "safety_passed_block"
    """A disconnection for safety goes out to a place that any other disconnection would spare."""
    ORDER_CHANGED = "order_changed"
    """An order is not what was approved: somebody changed it since."""
    LOAD_VOLTAGE = "load_voltage"
    """Behind an open switch there is voltage: something feeds in."""
    KEY_BINDING = "key_binding"
    """A key of the vault does not open in its place: it was altered, or moved from another meter."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Args:
        alert_id: derived from what it is about, so that a repeat is one alert.
        at: when, real time.
        rule: what.
        words: for people, 1 to 400 characters.
        order_id: the order that it is about; None for none.
        device: system title of a device, hexadecimal; empty for none.
        seen_by: who has seen to it; None while nobody has.
        seen_at: when.
    """

    alert_id: UUID
    at: datetime
    rule: str
    words: str
    order_id: UUID | None = None
    device: str = ""
    seen_by: UUID | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts of one rule, as a list shows them: however many there are of one, another is seen beside them.

    Args:
        rule: what.
        unseen: how many nobody has seen to.
        newest: the newest of those, as many as were asked for.
    """

    rule: str
    unseen: int
    newest: tuple[Alert, ...]


class AlertBook(Protocol):
    """Where alerts are kept. Every method raises :class:`AlertsUnavailableError`."""

    async def raise_alert(self, alert: Alert) -> None:
        """Keep an alert; one that is kept already is kept once."""
        ...

    async def newest(self, *, limit: int) -> Sequence[Alert]:
        """Return alerts, those that nobody has seen to first, then the newest; none of many crowds out one of few."""
        ...

    async def seen(self, alert_id: UUID, *, by: UUID, at: datetime) -> bool:
        """Note that somebody has seen to an alert, and tell whether there is one that nobody had."""
        ...
