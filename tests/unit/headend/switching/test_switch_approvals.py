"""A supply is switched only as people approved it, whole and once, and only if nothing has come between since."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from tests.unit.headend.switching.desk import (
    ANNA,
    BEN,
    HOUR,
    MemoryFacts,
    MemoryOrders,
    MemoryWitness,
    signed_list,
)
from tests.unit.headend.test_classify import LIMIT, ON, SCRIPT

from openami.contracts.command import CommandClass, CommandOutcome, OutcomeKind, Refusal
from openami.headend.command.ports import ApprovalRequest, CommandRefusedError, CommandUnavailableError, Warrant
from openami.headend.command.switch_step import CLOSE, OPEN, THRESHOLD, asked_of
from openami.headend.command.switching import LIST_CHANGED, SwitchApprovals, SwitchEngines
from openami.headend.switching.blocks import BlockCode, Stop, SwitchFacts
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchReason, SwitchSubject
from openami.headend.switching.rules_file import rules_of
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, ActionRequestList, SetRequest
from openami.protocol.axdr import Data, Tag, u16, u32
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.security.access.order import Order
from openami.security.keys.level import SecurityLevel

NOW = datetime(2026, 4, 14, 15, tzinfo=UTC)
"""A Tuesday morning in spring: nothing binds."""
REQUEST = UUID(int=77)
ZERO = Data(Tag.INTEGER, 0)
CUT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.CUSTOMER_REQUEST)
OWES = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
SAFETY = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)
PAID = SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID)
ITEMS = [SwitchItem(SystemTitle(b"OAM" + n.to_bytes(5, "big")), UUID(int=n), 7, 1_500) for n in range(1, 4)]
TITLE, STRANGER = ITEMS[0].title, SystemTitle(b"OAM" + bytes(4) + b"\x63")
OPENS = messages.encode(ActionRequest(0xC1, OPEN, ZERO))
CLOSES = messages.encode(ActionRequest(0xC1, CLOSE, ZERO))


def limits(watts: int) -> bytes:
    return messages.encode(SetRequest(0xC1, THRESHOLD, None, u32(watts)))


@dataclass
class Desk:
    """The rule with its world."""

    book: MemoryOrders = field(default_factory=MemoryOrders)
    facts: MemoryFacts = field(default_factory=MemoryFacts)
    witness: MemoryWitness = field(default_factory=MemoryWitness)
    level: SecurityLevel = SecurityLevel.SECURED
    now: datetime = NOW

    def __post_init__(self) -> None:
        engines = SwitchEngines(self.book, self.facts, self.witness, lambda _: self.level)
        zone = ZoneInfo("America/Chicago")
        self.rule = SwitchApprovals(engines, rules_of(), zone, real_now=lambda: self.now, clock=FixedClock(NOW))

    def make(self, subject: SwitchSubject = CUT, *, people: tuple[UUID, ...] = (ANNA, BEN)) -> Order:
        return self.book.make(subject, ITEMS, now=self.now, people=people)

    def make_list(self, subject: SwitchSubject = OWES, *, people: tuple[UUID, ...] = (ANNA, BEN)) -> Order:
        list_id = uuid4()
        document = signed_list(subject, ITEMS, list_id=list_id, now=NOW)
        return self.book.make(subject, ITEMS, now=NOW, people=people, document=document, order_id=list_id)

    async def find(self, plaintext: bytes = OPENS, title: SystemTitle = TITLE) -> Warrant | None:
        return await self.rule.find(self._request(plaintext, title))

    async def spend(self, plaintext: bytes = OPENS, request_id: UUID = REQUEST) -> Warrant | None:
        return await self.rule.spend(replace(self._request(plaintext, TITLE), request_id=request_id))

    async def refusal(self, plaintext: bytes = OPENS) -> tuple[Refusal, str]:
        with pytest.raises(CommandRefusedError) as caught:
            await self.find(plaintext)
        return caught.value.refusal, str(caught.value)

    def _request(self, plaintext: bytes, title: SystemTitle) -> ApprovalRequest:
        return ApprovalRequest(title, CommandClass.SWITCH, sha256(plaintext).digest(), plaintext)


async def test_a_command_rests_on_its_order_and_says_for_whom_and_how_much() -> None:
    desk = Desk()
    order = desk.make()
    found = await desk.find()
    approvals = tuple(sorted(a.approval_id for a in order.approvals))
    assert found == Warrant(approvals, order_id=order.subject.order_id, requester=ANNA, feeder=7, load_w=1_500)


@pytest.mark.parametrize(
    ("subject", "plaintext"),
    [(CUT, OPENS), (PAID, CLOSES), (SwitchSubject(SwitchAction.LIMIT, SwitchReason.TEST, 5_000), limits(5_000))],
    ids=["disconnect", "reconnect", "limit"],
)
async def test_an_order_lets_its_own_step_pass_and_no_other(subject: SwitchSubject, plaintext: bytes) -> None:
    desk = Desk()
    desk.make(subject)
    others = [OPENS, CLOSES, limits(5_000), limits(4_999), limits(0)]
    assert [step for step in others if await desk.find(step)] == [plaintext]
    assert await desk.find(plaintext, STRANGER) is None


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        messages.encode(ActionRequest(0xC1, OPEN, u16(0))),
        messages.encode(ActionRequest(0xC1, OPEN, None)),
        messages.encode(ActionRequestList(0xC1, (OPEN,), (ZERO,))),
        messages.encode(ActionRequest(0xC1, MethodRef(70, OPEN.instance, 3), ZERO)),
        messages.encode(ActionRequest(0xC1, SCRIPT, ON)),
        messages.encode(SetRequest(0xC1, LIMIT, None, ON)),
        messages.encode(SetRequest(0xC1, AttributeRef(70, OPEN.instance, 4), None, Data(Tag.ENUM, 0))),
    ],
    ids=["nothing", "type", "no parameter", "list", "method", "script", "boolean limit", "mode"],
)
async def test_what_is_no_step_of_ours_is_approved_by_nobody(plaintext: bytes) -> None:
    desk = Desk()
    desk.make()
    assert asked_of(plaintext) is None
    assert await desk.find(plaintext) is None


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    ("subject", "people", "is_good"),
    [
        (CUT, (ANNA,), False),
        (CUT, (ANNA, ANNA), False),
        (SAFETY, (ANNA,), False),
        (SAFETY, (ANNA, BEN), True),
        (PAID, (ANNA,), True),
        (PAID, (), False),
        (SwitchSubject(SwitchAction.RECONNECT, SwitchReason.SAFETY), (ANNA,), False),
        (SwitchSubject(SwitchAction.RECONNECT, SwitchReason.WRONG_CUT), (BEN,), True),
    ],
)
async def test_each_order_needs_its_people(subject: SwitchSubject, people: tuple[UUID, ...], is_good: bool) -> None:
    desk = Desk()
    desk.make(subject, people=people)
    step = CLOSES if subject.action is SwitchAction.RECONNECT else OPENS
    assert (await desk.find(step) is not None) is is_good


async def test_a_signed_list_is_approved_by_two_and_reconnects_by_itself() -> None:
    desk = Desk()
    desk.make_list(people=(ANNA,))
    assert await desk.find() is None
    desk.make_list(PAID, people=())
    desk.now += timedelta(seconds=1)
    assert (await desk.find(CLOSES)) is not None


@pytest.mark.attack("A16")
@pytest.mark.parametrize("people", [(ANNA, BEN), ()], ids=["disconnect", "reconnect by the list alone"])
async def test_a_list_changed_by_one_meter_is_refused_whole(people: tuple[UUID, ...]) -> None:
    subject, step = (OWES, OPENS) if people else (PAID, CLOSES)
    for change in ("added", "taken", "another place", "signature", "key", "another order"):
        desk = Desk()
        order = desk.make_list(subject, people=people)
        order_id = order.subject.order_id
        if change == "added":
            desk.book.listed[order_id].append(SwitchItem(STRANGER, UUID(int=99)).encode())
        elif change == "taken":
            desk.book.listed[order_id].pop()
        elif change == "another place":
            desk.book.listed[order_id][2] = SwitchItem(ITEMS[2].title, UUID(int=99)).encode()
        elif change == "signature":
            document = order.document.replace(b"meters 3", b"meters 4")
            desk.book.orders[order_id] = replace(order, document=document)
        elif change == "key":
            desk.facts.keys = []
        else:
            other = signed_list(subject, ITEMS, list_id=uuid4(), now=NOW)
            desk.book.orders[order_id] = replace(order, document=other)
        assert await desk.refusal(step) == (Refusal.NEEDS_APPROVAL, LIST_CHANGED), change


@pytest.mark.attack("A16")
async def test_a_key_that_may_sign_no_more_voids_what_it_has_signed() -> None:
    desk = Desk()
    desk.make_list()
    assert await desk.find() is not None
    desk.facts.keys = []
    assert await desk.refusal() == (Refusal.NEEDS_APPROVAL, LIST_CHANGED)


@pytest.mark.attack("A16")
@pytest.mark.parametrize("change", ["added", "taken", "heavier"])
async def test_an_order_changed_by_one_meter_after_its_approval_is_refused_whole(change: str) -> None:
    desk = Desk()
    listed = desk.book.listed[desk.make().subject.order_id]
    if change == "added":
        listed.append(SwitchItem(STRANGER, UUID(int=99)).encode())
    else:
        listed[2] = replace(ITEMS[2], load_w=9).encode()
        listed[:] = listed[: 2 if change == "taken" else 3]
    assert await desk.refusal() == (Refusal.NEEDS_APPROVAL, LIST_CHANGED)


@pytest.mark.attack("A16")
async def test_an_order_for_non_payment_without_a_list_is_good_for_nothing() -> None:
    desk = Desk()
    desk.make(OWES)
    assert await desk.refusal() == (Refusal.NEEDS_APPROVAL, LIST_CHANGED)


@pytest.mark.attack("A16")
async def test_an_item_is_used_up_by_the_meters_answer() -> None:
    desk = Desk()
    desk.make()
    assert await desk.spend(request_id=UUID(int=1))
    await desk.rule.heard(CommandOutcome(UUID(int=2), TITLE, OutcomeKind.ANSWERED, 0, answer=b"a" * 32))
    assert await desk.find() is not None
    await desk.rule.heard(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.ANSWERED, 0, answer=b"a" * 32))
    assert await desk.find() is None
    assert await desk.spend() is None


@pytest.mark.attack("A16")
async def test_an_item_without_an_answer_serves_three_times_and_a_reconnection_on() -> None:
    desk = Desk()
    desk.make()
    desk.make(PAID)
    for number in range(3):
        assert await desk.spend(request_id=UUID(int=number))
        await desk.rule.heard(CommandOutcome(UUID(int=number), TITLE, OutcomeKind.NO_ANSWER, 0))
    assert await desk.spend() is None
    for _ in range(20):
        assert await desk.spend(CLOSES)


async def test_what_the_gateway_refused_was_no_use() -> None:
    desk = Desk()
    desk.make()
    for number in range(20):
        assert await desk.spend(request_id=UUID(int=number))
        refused = CommandOutcome(UUID(int=number), TITLE, OutcomeKind.REFUSED, 0, Refusal.QUARANTINED)
        await desk.rule.heard(refused)


async def test_nothing_goes_out_that_is_not_written_down() -> None:
    desk = Desk()
    order = desk.make()
    desk.witness.is_away = True
    with pytest.raises(CommandUnavailableError):
        await desk.spend()
    assert desk.book.uses == {}
    desk.witness.is_away = False
    await desk.spend()
    assert desk.witness.told == [(order.subject.order_id, ITEMS[0], None)]


@pytest.mark.parametrize("level", [SecurityLevel.NONE, SecurityLevel.FACTORY, SecurityLevel.COMPROMISED])
async def test_a_meter_below_its_security_level_takes_no_switching_command(level: SecurityLevel) -> None:
    desk = Desk(level=level)
    desk.make(SAFETY)
    desk.make(PAID)
    assert await desk.refusal() == (Refusal.BELOW_SECURITY_LEVEL, level.name.lower())
    assert (await desk.refusal(CLOSES))[0] is Refusal.BELOW_SECURITY_LEVEL


def held(code: BlockCode, before: datetime | None = None) -> SwitchFacts:
    stop = Stop(code, frozenset(SwitchReason), Period(NOW - HOUR, NOW + 24 * HOUR), before)
    return SwitchFacts(ITEMS[0].service_point_id, (stop,))


@pytest.mark.parametrize("code", [BlockCode.PAID, BlockCode.HOLD, BlockCode.OTHER_CUSTOMER])
async def test_what_came_between_stops_a_meter_at_its_turn_and_no_other(code: BlockCode) -> None:
    desk = Desk()
    desk.make_list()
    assert await desk.find() is not None
    desk.facts.known[ITEMS[0].service_point_id] = held(code)
    assert await desk.refusal() == (Refusal.BLOCKED, code.value)
    with pytest.raises(CommandRefusedError):
        await desk.spend()
    assert desk.book.uses == {}
    assert await desk.find(title=ITEMS[1].title) is not None


async def test_a_safety_disconnection_passes_a_hold_and_says_so_to_the_witness() -> None:
    desk = Desk()
    order = desk.make(SAFETY)
    desk.facts.known[ITEMS[0].service_point_id] = held(BlockCode.HOLD)
    assert await desk.spend()
    assert desk.witness.told == [(order.subject.order_id, ITEMS[0], BlockCode.HOLD)]


async def test_what_stops_a_list_does_not_stop_an_order_for_safety_of_the_same_meter() -> None:
    desk = Desk()
    desk.make_list()
    safety = desk.make(SAFETY)
    desk.facts.known[ITEMS[0].service_point_id] = held(BlockCode.HOLD)
    found = await desk.find()
    assert found is not None
    assert found.order_id == safety.subject.order_id


async def test_a_withdrawn_order_stops_within_a_second_and_a_new_one_counts_within_one() -> None:
    desk = Desk()
    order = desk.make()
    assert await desk.find()
    desk.book.orders[order.subject.order_id] = replace(order, withdrawn_at=NOW)
    desk.now += timedelta(seconds=1)
    assert await desk.find() is None


async def test_when_orders_or_facts_are_away_it_is_said_so() -> None:
    desk = Desk()
    desk.make()
    desk.facts.is_away = True
    with pytest.raises(CommandUnavailableError):
        await desk.find()
    desk.now += HOUR
    desk.book.is_away = True
    with pytest.raises(CommandUnavailableError):
        await desk.find()
