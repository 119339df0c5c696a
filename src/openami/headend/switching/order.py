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

MAX_LIMIT_W = 1_000_000
MAX_LIMIT_S = 86_400
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
class Limit:
    """A limit on the load.

    Args:
        threshold_w: the most the customer may take, 1 to 1,000,000 W.
        over_s: for how long it may be over it, 1 to 86,400 s.
    """

    threshold_w: int
    over_s: int = 60

    def __post_init__(self) -> None:
        if not 1 <= self.threshold_w <= MAX_LIMIT_W or not 1 <= self.over_s <= MAX_LIMIT_S:
            raise MisuseError(f"a limit is 1 to {MAX_LIMIT_W} W for 1 to {MAX_LIMIT_S} s")


@dataclass(frozen=True, slots=True)
class SwitchSubject:
    """Action and reason of an order, as its texts say them.

    Args:
        action: what.
        reason: why.
        limit: of a LIMIT; None for none, which ends a limit.

    Raises:
        MisuseError: a reason that this action cannot have, or a limit without its action.
    """

    action: SwitchAction
    reason: SwitchReason
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if self.reason not in REASONS[self.action]:
            known = ", ".join(sorted(REASONS[self.action]))
            raise MisuseError(f"{self.action.value} has no reason {self.reason.value}: give one of {known}")
        if self.limit is not None and self.action is not SwitchAction.LIMIT:
            raise MisuseError(f"{self.action.value} sets no limit")

    @property
    def text(self) -> str:
        """The action as orders and approvals say it.

        >>> SwitchSubject(SwitchAction.LIMIT, SwitchReason.TEST, Limit(5_000)).text
        'limit 5000 W over 60 s'
        """
        if self.action is not SwitchAction.LIMIT:
            return self.action.value
        return f"limit {self.limit.threshold_w} W over {self.limit.over_s} s" if self.limit else "limit none"

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

    >>> subject_of("limit 5000 W over 60 s", "test").limit
    Limit(threshold_w=5000, over_s=60)
    """
    action, _, rest = text.partition(" ")
    try:
        limit = None
        if rest and rest != "none":
            watts, _, _, seconds, _ = rest.split(" ")
            limit = Limit(int(watts), int(seconds))
        found = SwitchSubject(SwitchAction(action), SwitchReason(reason), limit)
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
