"""What a switching order says: the action, its reason, how many people it needs, and its items as octets.

An item names the meter, the place where it must hang, the feeder and the load, so that approvals are for all of that:
a meter that was exchanged since must not cut another home, and the gateway counts the megawatts that people saw.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID
from zlib import crc32

from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.ids import SystemTitle

NO_LIMIT_W = 1_000_000
"""Beyond any service, and the most that a limiter takes: whose limit this is has none. A limit of nothing would be a
disconnection by another name, and is refused at the gateway.
"""
_ITEM = struct.Struct(">8s16sII")
ITEM_OCTETS = _ITEM.size


class SwitchOrderError(OpenAmiError):
    """A switching order that is none. The text names the place and the mend."""


class SwitchAction(StrEnum):
    """What is done to a customer's supply."""

    DISCONNECT = "disconnect"
    RECONNECT = "reconnect"
    LIMIT = "limit"


class SwitchReason(StrEnum):
    """Why. Which blocks bind depends on it."""

    NON_PAYMENT = "non_payment"
    MOVE_OUT = "move_out"
    CUSTOMER_REQUEST = "customer_request"
    SAFETY = "safety"
    THEFT = "theft"
    TEST = "test"
    PAID = "paid"
    WRONG_CUT = "wrong_cut"


_R = SwitchReason
_CAUSES = frozenset({_R.NON_PAYMENT, _R.MOVE_OUT, _R.CUSTOMER_REQUEST, _R.SAFETY, _R.THEFT, _R.TEST})
REASONS: Mapping[SwitchAction, frozenset[SwitchReason]] = {
    SwitchAction.DISCONNECT: _CAUSES,
    SwitchAction.LIMIT: _CAUSES - {_R.MOVE_OUT},
    # What is cut for safety, theft or a test is closed again for that reason, by two people.
    SwitchAction.RECONNECT: frozenset(SwitchReason) - {_R.NON_PAYMENT, _R.MOVE_OUT},
}
"""Which reasons an action may have."""
CLOSED_BY_ONE = frozenset({_R.PAID, _R.WRONG_CUT})
"""Reasons for which one person, or the signed list alone, reconnects."""
NEEDS_TWO_TO_CLOSE = frozenset({_R.SAFETY, _R.THEFT})
"""What was cut for these is not closed because a bill was paid: it might hurt somebody."""


@dataclass(frozen=True, slots=True)
class SwitchSubject:
    """Action and reason of an order, as its texts say them.

    Args:
        action: what.
        reason: why.
        limit_w: of a LIMIT the most that the customer may take, 1 to ``NO_LIMIT_W``, which ends one; 0 of any other.

    Raises:
        MisuseError: a reason that this action cannot have, or a limit beyond its bounds or without its action.
    """

    action: SwitchAction
    reason: SwitchReason
    limit_w: int = 0

    def __post_init__(self) -> None:
        if self.reason not in REASONS[self.action]:
            known = ", ".join(sorted(REASONS[self.action]))
            raise MisuseError(f"{self.action.value} has no reason {self.reason.value}: give one of {known}")
        is_limit = self.action is SwitchAction.LIMIT
        if not (1 <= self.limit_w <= NO_LIMIT_W if is_limit else self.limit_w == 0):
            raise MisuseError(
                f"an order that limits has 1 to {NO_LIMIT_W} W, which ends a limit; no other order has any"
            )

    @property
    def text(self) -> str:
        """The action as orders and approvals say it.

        >>> SwitchSubject(SwitchAction.LIMIT, SwitchReason.TEST, 5_000).text
        'limit 5000 W'
        """
        return f"limit {self.limit_w} W" if self.action is SwitchAction.LIMIT else self.action.value

    @property
    def people(self) -> int:
        """How many different people must approve it; a signed list counts as one where one is enough."""
        return 1 if self.action is SwitchAction.RECONNECT and self.reason in CLOSED_BY_ONE else 2

    @property
    def most_uses(self) -> int:
        """How often a command may go for one meter of it before the meter answers.

        A reconnection is never given up for a count: the gateway's pace bounds it.
        """
        return 1_000 if self.action is SwitchAction.RECONNECT else 3

    @property
    def needs_list(self) -> bool:
        """Whether it comes as a signed list of the customer information system and in no other way."""
        return self.action is SwitchAction.DISCONNECT and self.reason is SwitchReason.NON_PAYMENT


def subject_of(text: str, reason: str) -> SwitchSubject:
    """Read action and reason from an order's texts.

    Raises:
        SwitchOrderError: they are none.

    >>> subject_of("limit 5000 W", "test").limit_w
    5000
    """
    action, _, rest = text.partition(" ")
    try:
        limit_w = int(rest.removesuffix(" W")) if rest else 0
        found = SwitchSubject(SwitchAction(action), SwitchReason(reason), limit_w)
    except (ValueError, MisuseError) as error:
        raise SwitchOrderError(f"{text[:40]!r} for {reason[:40]!r} is no switching order") from error
    if found.text != text:
        raise SwitchOrderError(f"{text[:40]!r} is no switching order in its one form")
    return found


@dataclass(frozen=True, slots=True)
class SwitchItem:
    """One meter of an order.

    Args:
        title: the meter.
        service_point_id: where it hung when people approved.
        feeder: see :func:`feeder_number`.
        load_w: load that is taken off or comes back, 0 to 2^32-1 W; 0 where nobody knows.
    """

    title: SystemTitle
    service_point_id: UUID
    feeder: int = 0
    load_w: int = 0

    def encode(self) -> bytes:
        """Return the item as octets, ``ITEM_OCTETS`` of them."""
        return _ITEM.pack(self.title.octets, self.service_point_id.bytes, self.feeder, self.load_w)


def decode_item(octets: bytes) -> SwitchItem:
    """Read an item.

    Raises:
        SwitchOrderError: another length.
    """
    if len(octets) != ITEM_OCTETS:
        raise SwitchOrderError(f"an item of {len(octets)} octets, expected {ITEM_OCTETS}")
    title, place, feeder, load_w = _ITEM.unpack(octets)
    return SwitchItem(SystemTitle(title), UUID(bytes=place), feeder, load_w)


def feeder_number(name: str) -> int:
    """Return the number by which a gateway counts a feeder that has a name; 0 for an empty name.

    >>> feeder_number(""), feeder_number("feeder-1") > 0
    (0, True)
    """
    return crc32(name.encode()) or 1 if name else 0
