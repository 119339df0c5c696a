"""Orders that need more than one person: what is approved, by whom, and when that is good. Pure.

One model serves all of them: switching customers' supply, changing keys, changing the gateway's thresholds, releasing
what the gateway holds back. An order names what is done, why, to exactly which items, and in which window of real time.
An approval signs the digest of all of that: change one item and no approval fits any more. Approvals are of people,
not of accounts: two accounts of one human are one voice. They lapse where the others do not come in time, and each item
of an order serves once.

Whoever makes an order gives the first of its approvals; the others are by other people.

Source: requirement R3.4 (critical commands: two people, digest of exact list, action and window, lapse, single use).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.time import Period

PEOPLE = 2
"""How many different people a critical order needs, where its kind does not say otherwise."""
LAPSE = timedelta(minutes=60)
"""From the first of the approvals that an order rests on to the last of them. What waits for longer is asked anew."""
DIGEST_OCTETS = 32
MAX_TEXT_OCTETS = 160
MAX_ITEM_OCTETS = 64
MAX_ITEMS = 200_000
"""Items of one order: more than a utility's day of switching by far, and a fleet's keys in a few orders."""
_SIGNED_NAME = b"openami order v1\x00"
_HEAD = struct.Struct(">16sBBqq32s")


class OrdersUnavailableError(OpenAmiError):
    """The tables of orders do not answer now: try again."""


class OrderRefusedError(OpenAmiError):
    """An order or an approval that cannot be. The text says why."""


class OrderKind(StrEnum):
    """What an order is about; the kind says who reads it and what its items are."""

    SWITCH = "switch"
    KEYS = "keys"
    THRESHOLDS = "thresholds"
    RELEASE = "release"
    EDITS = "edits"
    """Decisions about readings, beyond what one person may change alone."""
    CORRECTIONS = "corrections"
    """Decisions about bills that are out, beyond what one person may correct alone."""
    SIGNALS = "signals"
    """What rates follow, where it prices the bills of more customers than one person may decide about alone."""
    FACTS = "facts"
    """What bills of places are priced by, likewise."""


_NUMBER_OF_KIND = {
    OrderKind.SWITCH: 1,
    OrderKind.KEYS: 2,
    OrderKind.THRESHOLDS: 3,
    OrderKind.RELEASE: 4,
    OrderKind.EDITS: 5,
    OrderKind.CORRECTIONS: 6,
    OrderKind.SIGNALS: 7,
    OrderKind.FACTS: 8,
}
"""In the signed octets; never given to another kind."""
LONGEST_WINDOW = {
    OrderKind.SWITCH: timedelta(hours=24),
    # A standing order for keys that age; it is given anew once a year.
    OrderKind.KEYS: timedelta(days=366),
    OrderKind.THRESHOLDS: timedelta(hours=24),
    OrderKind.RELEASE: timedelta(hours=24),
    OrderKind.EDITS: timedelta(days=14),
    OrderKind.CORRECTIONS: timedelta(days=14),
    OrderKind.SIGNALS: timedelta(days=14),
    OrderKind.FACTS: timedelta(days=14),
}
LONG_LAPSE = dict.fromkeys(
    (OrderKind.EDITS, OrderKind.CORRECTIONS, OrderKind.SIGNALS, OrderKind.FACTS), timedelta(days=7)
)
"""Kinds whose second person need not be at hand: a bill waits for days, and a wrong edit can be undone."""


@dataclass(frozen=True, slots=True)
class OrderSubject:
    """What is approved.

    Args:
        order_id: random.
        kind: what it is about.
        action: what is done to each item, in the words of the kind: 1 to 160 printable ASCII characters.
        reason: why, likewise; may be empty.
        items_digest: see :func:`digest_of_items`, 32 octets.
        window: real time in which it may be done, in whole seconds, at most ``LONGEST_WINDOW`` of its kind.

    Raises:
        MisuseError: a value beyond these.
    """

    order_id: UUID
    kind: OrderKind
    action: str
    reason: str
    items_digest: bytes
    window: Period

    def __post_init__(self) -> None:
        if len(self.items_digest) != DIGEST_OCTETS:
            raise MisuseError(f"the digest of an order's items has {DIGEST_OCTETS} octets")
        if not self.action or not all(_is_text(text) for text in (self.action, self.reason)):
            raise MisuseError(f"action and reason of an order are printable ASCII, at most {MAX_TEXT_OCTETS}")
        if self.window.start.microsecond or self.window.end.microsecond:
            raise MisuseError("the window of an order is in whole seconds, as the tables keep it")
        if self.window.end - self.window.start > LONGEST_WINDOW[self.kind]:
            raise MisuseError(f"the window of an order of {self.kind.value} is at most {LONGEST_WINDOW[self.kind]}")

    def digest(self) -> bytes:
        """Return what an approval signs: SHA-256 over id, kind, window, items, action and reason."""
        texts = [text.encode("ascii") for text in (self.action, self.reason)]
        head = _HEAD.pack(
            self.order_id.bytes,
            _NUMBER_OF_KIND[self.kind],
            len(texts[0]),
            self.window.start_s,
            self.window.end_s,
            self.items_digest,
        )
        return sha256(_SIGNED_NAME + head + b"".join(texts)).digest()


@dataclass(frozen=True, slots=True)
class OrderApproval:
    """One person's approval.

    Args:
        approval_id: random; commands name it.
        order_id: the order.
        digest: of the subject that the person saw, 32 octets.
        user_id: the account.
        human_id: the human behind it; accounts of one human share it.
        made_at: real time.
    """

    approval_id: UUID
    order_id: UUID
    digest: bytes
    user_id: UUID
    human_id: UUID
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """An order with everything that people said of it.

    Args:
        subject: what is to be done.
        requester: the account that made it.
        made_at: real time.
        item_count: how many items it has.
        approvals: in the order in which they were given.
        withdrawn_at: real time from which nothing of it is done any more; None while it stands.
        document: a file that it was made from, as it came, for example a signed list; empty for none.
    """

    subject: OrderSubject
    requester: UUID
    made_at: datetime
    item_count: int
    approvals: tuple[OrderApproval, ...] = ()
    withdrawn_at: datetime | None = None
    document: bytes = b""


class OrderBook(Protocol):
    """Reads orders, and notes that an item was used. Every method raises :class:`OrdersUnavailableError`."""

    async def standing(self, kind: OrderKind, *, now: datetime) -> Sequence[Order]:
        """Return the orders of a kind whose window holds an instant (real time) and that nobody has withdrawn."""
        ...

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        """Return the items of an order in rising order. They are believed once :func:`digest_of_items` agrees."""
        ...

    async def used(self, order_id: UUID, item: bytes, *, at: datetime, most: int) -> bool:
        """Note that an item is used now, and tell whether it was free for it. Durable when this returns.

        Args:
            order_id: the order.
            item: one of its items.
            at: real time.
            most: how often it may be used before :meth:`used_up`.
        """
        ...

    async def is_free(self, order_id: UUID, item: bytes, *, most: int) -> bool:
        """Tell whether an item may still be used."""
        ...

    async def given_back(self, order_id: UUID, item: bytes) -> None:
        """Take back one use of an item: what it was used for went nowhere."""
        ...

    async def used_up(self, order_id: UUID, item: bytes, *, at: datetime) -> None:
        """Note that an item has served: it is free no more."""
        ...


def digest_of_items(items: Iterable[bytes]) -> bytes:
    """Return SHA-256 over the items, each once, in rising order: the same list has the same digest, whatever its order.

    Args:
        items: 0 to 64 octets each; an order of no items is for whatever its action says.

    >>> digest_of_items([b"b", b"a", b"b"]) == digest_of_items([b"a", b"b"])
    True
    >>> digest_of_items([b"ab"]) == digest_of_items([b"a", b"b"])
    False
    """
    found = sorted(set(items))
    # Each with its length before it, so that no two lists run together to the same octets.
    return sha256(b"".join([bytes((len(item),)) + item for item in found])).digest()


def good_approvals(order: Order, *, now: datetime, people: int = PEOPLE) -> tuple[UUID, ...]:
    """Return one approval of each of the people that an order rests on; none where it may not be carried out now.

    Args:
        order: the order with its approvals.
        now: real time.
        people: how many different humans must have approved, 1 or more.

    Good approvals are for exactly this subject, of that many different humans, and the last of them came at most
    :func:`lapse_of` its kind after the first.
    """
    if order.withdrawn_at is not None or not order.subject.window.holds(now):
        return ()
    digest, order_id = order.subject.digest(), order.subject.order_id
    fitting = [a for a in order.approvals if (a.digest, a.order_id) == (digest, order_id) and a.made_at <= now]
    fitting.sort(key=lambda a: (a.made_at, a.approval_id))
    for place, first in enumerate(fitting):
        of_human: dict[UUID, UUID] = {}
        for one in fitting[place:]:
            if one.made_at - first.made_at <= lapse_of(order.subject.kind):
                of_human.setdefault(one.human_id, one.approval_id)
        if len(of_human) >= people:
            return tuple(of_human.values())[:people]
    return ()


def lapse_of(kind: OrderKind) -> timedelta:
    """Return how long an approval waits for the next one."""
    return LONG_LAPSE.get(kind, LAPSE)


def lapses_at(order: Order) -> datetime | None:
    """Return when the newest approval of an order lapses if no other comes; None where nobody has approved it."""
    return max(a.made_at for a in order.approvals) + lapse_of(order.subject.kind) if order.approvals else None


def _is_text(text: str) -> bool:
    return text.isascii() and len(text) <= MAX_TEXT_OCTETS and (not text or text.isprintable())
