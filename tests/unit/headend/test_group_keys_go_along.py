"""A meter gets its group's broadcast key with its own new keys, and has it when it proves those."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import pytest
from tests.property.headend.rekey_world import METER, TITLE, Faults, World

from openami.contracts.command import Refusal
from openami.headend.command.ports import CommandRefusedError
from openami.meter.objects.security import KeyHolder, security_setup_object
from openami.meter.sealing import MeterIdentity
from openami.protocol import axdr
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.groups import GroupKey
from openami.security.keys.secret import Secret
from openami.security.suites.gcm import seal

KEY = Secret(bytes(range(100, 116)))
TRANSFER = 2
"""Number of *key_transfer* among the methods of a security setup."""


@dataclass
class Groups:
    """One meter's group, as the vault keeps it."""

    is_spoiled: bool = False
    fixed: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    async def send_group_key_with(self, meter_id: UUID, pair_generation: int) -> None:
        assert meter_id == METER
        self.fixed.append(pair_generation)

    async def group_key_to_send(self, _meter_id: UUID, pair_generation: int) -> GroupKey | None:
        if self.is_spoiled:
            raise KeyBindingError("the broadcast key of meter x, generation 1, does not open")
        return GroupKey(UUID(int=9), 1, KEY) if pair_generation in self.fixed else None

    async def group_key_held(self, _meter_id: UUID, pair_generation: int) -> None:
        self.held.append(pair_generation)


async def world_with(groups: Groups) -> World:
    made = World(Random(1), Faults())
    await made.feed.refresh()
    rotation: Any = made.rotation
    rotation._groups = groups
    return made


def taken_by(identity: MeterIdentity, parameter: bytes) -> MeterIdentity:
    """What our meter holds after a transfer."""
    kept = [identity]
    setup = security_setup_object(KeyHolder(lambda: kept[-1], kept.append))
    setup.methods[TRANSFER].call(axdr.decode(parameter))
    return kept[-1]


async def test_the_groups_key_goes_with_the_new_pair_and_the_meter_takes_all_three() -> None:
    groups = Groups()
    world = await world_with(groups)
    begun = await world.rotation.begin(TITLE)
    parameter = await world.rotation.parameter(TITLE, begun.generation)
    assert [one.elements[0].integer for one in axdr.decode(parameter).elements] == [0, 1, 2]
    assert await world.rotation.parameter(TITLE, begun.generation) == parameter
    before = world.disks.identity
    after = taken_by(before, parameter)
    assert after.broadcast_key == KEY.reveal()
    assert after.encryption_key != before.encryption_key
    assert KEY.reveal().hex() not in repr(after)
    assert (groups.fixed, groups.held) == ([2], [])
    words = seal(TITLE.octets, 1, b"\xc4words", key=after.encryption_key, auth_key=after.authentication_key)
    await world.rotation.proved(TITLE, 2, words)
    assert groups.held == [2]


async def test_keys_that_wait_already_are_given_again_as_they_were() -> None:
    world = await world_with(Groups())
    await world.rotation.begin(TITLE)
    later = Groups()
    rotation: Any = world.rotation
    rotation._groups = later
    assert (await world.rotation.begin(TITLE)).is_fresh is False
    parameter = axdr.decode(await world.rotation.parameter(TITLE, 2))
    assert [one.elements[0].integer for one in parameter.elements] == [0, 2]
    assert later.fixed == []


async def test_a_groups_key_that_does_not_open_is_for_a_person() -> None:
    groups = Groups()
    world = await world_with(groups)
    await world.rotation.begin(TITLE)
    groups.is_spoiled = True
    with pytest.raises(CommandRefusedError, match="broadcast key") as caught:
        await world.rotation.parameter(TITLE, 2)
    assert caught.value.refusal is Refusal.UNKNOWN_TITLE


def test_a_meter_refuses_one_key_for_two_uses() -> None:
    with pytest.raises(Exception, match="differ"):
        MeterIdentity(TITLE, b"a" * 16, b"b" * 16, b"c" * 16, broadcast_key=b"c" * 16)
