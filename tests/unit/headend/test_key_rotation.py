"""The command process makes, wraps and proves new keys; a head-end gets nothing of them that opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from tests.contract.keys.fake_vault import FakeVault
from tests.property.headend.rekey_world import METER, NOW, ORDER, OWN, TITLE, Faults, World

from openami.contracts.command import CommandClass, Refusal
from openami.headend.command.key_orders import EVERY_METER, NAMED_METERS, KeyOrders
from openami.headend.command.ports import ApprovalRequest, CommandRefusedError
from openami.headend.command.rekey import KEY_TRANSFER, KeyApprovals, is_transfer_of
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.services import ActionRequest
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import MethodRef
from openami.security.access.order import Order, OrderApproval, OrderKind, OrderSubject, digest_of_items
from openami.security.keys.context import KeyState
from openami.security.suites.gcm import seal
from openami.security.suites.wrap import unwrap_key, wrap_key

ANNA, BEN = UUID(int=11), UUID(int=12)
OTHER = SystemTitle(b"OAM\0\0\0\0\x08")


@pytest.fixture
async def world() -> World:
    made = World(Random(1), Faults())
    await made.feed.refresh()
    return made


def call(parameter: Data, method: MethodRef = KEY_TRANSFER) -> bytes:
    return messages.encode(ActionRequest(0xC1, method, parameter))


async def approved(world: World, plaintext: bytes, command_class: CommandClass = CommandClass.KEY) -> bool:
    request = ApprovalRequest(TITLE, command_class, bytes(32), plaintext)
    return await KeyApprovals(world.rotation, world).find(request) is not None


async def test_new_keys_are_in_the_vault_before_anything_is_given_out(world: World) -> None:
    begun = await world.rotation.begin(TITLE)
    assert (begun.generation, begun.is_fresh) == (2, True)
    assert world.disks.vault.pairs[METER][2].state is KeyState.NEW


async def test_while_keys_wait_for_their_proof_the_same_are_given_again(world: World) -> None:
    await world.rotation.begin(TITLE)
    first = await world.rotation.parameter(TITLE, 2)
    again = await world.rotation.begin(TITLE)
    assert (again.generation, again.is_fresh) == (2, False)
    assert await world.rotation.parameter(TITLE, 2) == first
    world.start()
    assert (await world.rotation.begin(TITLE)).is_fresh is False
    assert await world.rotation.parameter(TITLE, 2) == first


async def test_the_parameter_opens_with_the_master_key_alone_and_holds_both_keys(world: World) -> None:
    await world.rotation.begin(TITLE)
    parameter = axdr.decode(await world.rotation.parameter(TITLE, 2))
    held = world.disks.vault.pairs[METER][2]
    master = world.disks.identity.master_key or b""
    inside = [unwrap_key(one.elements[1].octets or b"", wrapping_key=master) for one in parameter.elements]
    assert [one.elements[0].integer for one in parameter.elements] == [0, 2]
    assert inside == [key.reveal() for key in held.keys]
    assert not any(key.reveal() in axdr.encode(parameter) for key in held.keys)


async def test_keys_in_use_are_not_given_out_again(world: World) -> None:
    with pytest.raises(CommandRefusedError) as caught:
        await world.rotation.parameter(TITLE, 1)
    assert caught.value.refusal is Refusal.BAD_COMMAND


async def test_a_meter_without_a_master_key_gets_no_new_keys_and_none_are_made(world: World) -> None:
    del world.disks.vault.masters[METER]
    with pytest.raises(CommandRefusedError, match="for life"):
        await world.rotation.begin(TITLE)
    assert list(world.disks.vault.pairs[METER]) == [1]


@pytest.mark.attack("A11")
async def test_keys_come_into_use_by_the_meters_words_under_them_alone(world: World) -> None:
    await world.rotation.begin(TITLE)
    old, new = (world.disks.vault.pairs[METER][g].keys for g in (1, 2))

    def said(by: bytes, keys: Sequence[object], counter: int = 5) -> bytes:
        key, auth_key = (k.reveal() for k in keys)  # type: ignore[attr-defined]  # secrets of the vault
        return seal(by, counter, b"\xc4words", key=key, auth_key=auth_key)

    altered = bytearray(said(TITLE.octets, new))
    altered[-1] ^= 1
    for forged in (said(TITLE.octets, old), said(OWN, new), said(OTHER.octets, new), bytes(altered), b"", b"\x30" * 9):
        with pytest.raises(CommandRefusedError) as caught:
            await world.rotation.proved(TITLE, 2, forged)
        assert caught.value.refusal is Refusal.BAD_SIGNATURE
    assert world.disks.vault.pairs[METER][2].state is KeyState.NEW
    for _ in range(2):
        await world.rotation.proved(TITLE, 2, said(TITLE.octets, new))
    assert [h.state for h in world.disks.vault.pairs[METER].values()] == [KeyState.EXPIRED, KeyState.ACTIVE]


@pytest.mark.attack("A11")
async def test_exactly_the_new_keys_are_approved_and_nothing_beside_them(world: World) -> None:
    await world.rotation.begin(TITLE)
    octets = await world.rotation.parameter(TITLE, 2)
    parameter = axdr.decode(octets)
    first, second = parameter.elements
    master = world.disks.identity.master_key or b""
    own = structure(Data(Tag.ENUM, 0), octet_string(wrap_key(bytes(range(16)), wrapping_key=master)))
    assert await approved(world, call(parameter))
    refused = {
        "keys of somebody's own": call(array(own, second)),
        "one of two": call(array(first)),
        "turned round": call(array(second, first)),
        "one more": call(array(first, second, own)),
        "another method": call(parameter, MethodRef(64, KEY_TRANSFER.instance, 1)),
        "another object": call(parameter, MethodRef(15, KEY_TRANSFER.instance, 2)),
        "no parameter": messages.encode(ActionRequest(0xC1, KEY_TRANSFER, None)),
        "no message": b"\x00",
    }
    for what, plaintext in refused.items():
        assert not await approved(world, plaintext), what
    assert not await approved(world, call(parameter), CommandClass.SWITCH)


@pytest.mark.attack("A11")
async def test_old_wrapped_keys_are_not_approved_again(world: World) -> None:
    assert (await world.try_once()) is not None
    octets = axdr.encode(wrapped_by(world.disks.vault, 2, world.disks.identity.master_key or b""))
    assert not await approved(world, call(axdr.decode(octets)))
    await world.rotation.begin(TITLE)
    assert not await approved(world, call(axdr.decode(octets)))
    assert not is_transfer_of(call(axdr.decode(octets)), await world.rotation.parameter(TITLE, 3))


def wrapped_by(vault: FakeVault, generation: int, master: bytes) -> Data:
    keys = zip((0, 2), vault.pairs[METER][generation].keys, strict=True)
    return array(
        *(structure(Data(Tag.ENUM, n), octet_string(wrap_key(k.reveal(), wrapping_key=master))) for n, k in keys)
    )


@dataclass
class Book:
    orders: list[Order] = field(default_factory=list)
    kept: dict[UUID, list[bytes]] = field(default_factory=dict)
    asked: int = 0

    async def standing(self, kind: OrderKind, **_now: object) -> Sequence[Order]:
        self.asked += 1
        return [order for order in self.orders if order.subject.kind is kind]

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        return self.kept[order_id]


def order(
    action: str, items: Sequence[bytes] = (), *, people: Sequence[UUID] = (ANNA, BEN), kind: OrderKind = OrderKind.KEYS
) -> Order:
    window = Period(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    subject = OrderSubject(UUID(int=77), kind, action, "yearly", digest_of_items(items), window)
    approvals = tuple(
        OrderApproval(UUID(int=n), subject.order_id, subject.digest(), person, person, NOW - timedelta(minutes=5))
        for n, person in enumerate(people)
    )
    return Order(subject, ANNA, NOW, len(items), approvals)


@pytest.mark.parametrize(
    ("made", "kept", "allowed"),
    [
        pytest.param(order(EVERY_METER), [], True, id="standing"),
        pytest.param(order(NAMED_METERS, [TITLE.octets]), [TITLE.octets], True, id="named"),
        pytest.param(order(NAMED_METERS, [OTHER.octets]), [OTHER.octets], False, id="another meter"),
        pytest.param(order(NAMED_METERS, [OTHER.octets]), [OTHER.octets, TITLE.octets], False, id="A16 list changed"),
        pytest.param(order(EVERY_METER, people=(ANNA,)), [], False, id="A16 one person"),
        pytest.param(order(EVERY_METER, people=(ANNA, ANNA)), [], False, id="A16 one human twice"),
        pytest.param(order(EVERY_METER, [OTHER.octets]), [OTHER.octets], False, id="standing with a list"),
        pytest.param(order("change the world"), [], False, id="another action"),
        pytest.param(order(EVERY_METER, kind=OrderKind.SWITCH), [], False, id="another kind"),
    ],
)
async def test_keys_change_by_an_order_of_two_people(made: Order, kept: list[bytes], *, allowed: bool) -> None:
    book = Book([made], {made.subject.order_id: kept})
    orders = KeyOrders(book, lambda: NOW)  # type: ignore[arg-type]  # only what is asked of a book here
    found = [await orders.warrant(TITLE) for _ in range(3)]
    assert [f is not None for f in found] == [allowed] * 3
    assert book.asked == 1
    if found[0] is not None:
        assert (found[0].order_id, found[0].requester, len(found[0].approvals)) == (UUID(int=77), ANNA, 2)


async def test_without_an_order_no_keys_are_made(world: World) -> None:
    async def nobody(_title: SystemTitle) -> None:
        return None

    world.warrant = nobody  # type: ignore[method-assign]
    with pytest.raises(CommandRefusedError) as caught:
        await world.rotation.begin(TITLE)
    assert caught.value.refusal is Refusal.NEEDS_APPROVAL
    assert list(world.disks.vault.pairs[METER]) == [1]
    assert ORDER.approvals
