"""The command process judges for itself: it seals nothing unapproved and signs nothing that it has not sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.unit.headend.test_classify import DISCONNECT, ENERGY, LIMIT, ON, RECONNECT, SCRIPT, set_clock

from openami.app.bench.pushes import PushFactory
from openami.contracts.command import Command, CommandClass, CommandEffect, CommandOutcome, Refusal
from openami.headend.command.classify import begins_as_request
from openami.headend.command.counters import SendCounters
from openami.headend.command.ports import (
    ApprovalRequest,
    Approvals,
    CommandRefusedError,
    CommandUnavailableError,
    NoApprovals,
    Warrant,
)
from openami.headend.command.service import CommandEngines, CommandService
from openami.headend.listening.keyfeed import KeyFeed
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, GetRequest, SetRequest
from openami.protocol.envelope.wrapper import wrap
from openami.security.keys.ports import KeyVault
from openami.security.keys.table import KeyColumns, KeyTable
from openami.security.suites.ed25519 import public_key_of, verifies
from openami.security.suites.gcm import gmac_answer, open_sealed, seal

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
OWN = b"OAMhome1"
SIGNING_KEY = bytes(range(32))
READ = messages.encode(GetRequest(0xC1, ENERGY))
SWITCH = messages.encode(ActionRequest(0xC1, DISCONNECT, ON))
REQUEST = UUID(int=77)


class Reserve:
    def __init__(self) -> None:
        self.next: dict[tuple[UUID, int], int] = {}

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        first = self.next.get((meter_id, generation), 1)
        self.next[meter_id, generation] = first + count
        return first


@dataclass
class OneApproval:
    good: bool = True

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        if not self.good or request.command_class is not CommandClass.SWITCH:
            return None
        return Warrant((UUID(int=5),), order_id=UUID(int=6), requester=UUID(int=7), feeder=8, load_w=9_000)

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        found = await self.find(request)
        self.good = False
        return found


@dataclass
class Road:
    events: list[tuple[str, Command]] = field(default_factory=list)
    raises: bool = False

    async def record(self, command: Command) -> None:
        if self.raises:
            raise CommandUnavailableError("no record")
        self.events.append(("record", command))

    async def send(self, command: Command) -> None:
        self.events.append(("send", command))

    async def listen(self, heard: Callable[[CommandOutcome], None]) -> None:
        raise NotImplementedError


class Vault:
    """Only what a key feed asks."""

    def __init__(self, columns: KeyColumns) -> None:
        self._columns = columns

    async def revision(self) -> int:
        return 1

    async def load(self, **_after: int) -> KeyColumns:
        return self._columns


@dataclass
class Rig:
    approvals: Approvals = field(default_factory=NoApprovals)

    def __post_init__(self) -> None:
        self.factory = PushFactory(meters=2)
        self.title = SystemTitle(self.factory.meters[0].title)
        self.road = Road()
        table = KeyTable()
        vault: KeyVault = Vault(self.factory.key_columns())  # type: ignore[assignment]  # only what a feed asks
        self.service = CommandService(
            own_title=OWN,
            table=table,
            counters=SendCounters(Reserve()),
            signing_key=SIGNING_KEY,
            engines=CommandEngines(KeyFeed(vault, table), self.approvals, self.road, FixedClock(NOW), lambda: NOW),
        )

    async def frame(self, plaintext: bytes = READ) -> bytes:
        sealed = await self.service.seal(self.title, plaintext, control=0x30)
        return wrap(2, 1, messages.general_glo(OWN, sealed))

    async def send(self, frame: bytes, *, time_left_ms: int = 30_000, title: SystemTitle | None = None) -> None:
        await self.service.send(title or self.title, frame, request_id=REQUEST, expires_at_ms=NOW_MS + time_left_ms)

    async def refusal(self, frame: bytes, **how: object) -> Refusal:
        with pytest.raises(CommandRefusedError) as caught:
            await self.send(frame, **how)  # type: ignore[arg-type]  # the test's own words
        assert self.road.events == []
        return caught.value.refusal

    def opened(self, sealed: bytes) -> bytes:
        meter = self.factory.meters[0]
        return open_sealed(OWN, sealed, key=meter.key, auth_key=meter.auth_key)


async def test_a_read_is_sealed_under_our_title_and_a_counter_of_its_own() -> None:
    rig = Rig()
    found = [await rig.service.seal(rig.title, READ, control=0x30) for _ in range(3)]
    assert [rig.opened(s) for s in found] == [READ] * 3
    assert [int.from_bytes(s[1:5]) for s in found] == [1, 2, 3]


async def test_our_proof_takes_a_counter_too() -> None:
    rig = Rig()
    await rig.service.seal(rig.title, READ, control=0x30)
    meter = rig.factory.meters[0]
    expected = gmac_answer(OWN, 2, bytes(16), key=meter.key, auth_key=meter.auth_key)
    assert await rig.service.prove(rig.title, bytes(16)) == expected


AS_CHALLENGES = [
    pytest.param(SWITCH, id="a disconnect"),
    pytest.param(SWITCH + bytes(20), id="a disconnect before octets that a lax meter passes over"),
    pytest.param(READ, id="a read"),
    pytest.param(bytes.fromhex("01000000065f1f0400007e1f04b0"), id="an initiate request"),
    pytest.param(bytes.fromhex("c101c100080000010000ff02000f00"), id="a write"),
    pytest.param(bytes.fromhex("c301c1000f0000280000ff01010f00"), id="a proof"),
    pytest.param(bytes.fromhex("d94000000100010300460000600300ff0101000f00"), id="ACCESS"),
]


@pytest.mark.parametrize("challenge", AS_CHALLENGES)
async def test_a16_our_proof_is_never_the_tag_of_a_request(challenge: bytes) -> None:
    rig = Rig()
    with pytest.raises(CommandRefusedError, match="not answered"):
        await rig.service.prove(rig.title, challenge)


def test_a_random_challenge_is_hardly_ever_refused() -> None:
    tails = (bytes(14), bytes([5] * 14))
    refused = sum(begins_as_request(bytes((a, b)) + tail) for a in range(256) for b in range(256) for tail in tails)
    # ACCESS counts by its fifth octet, which is nought or twelve once in 128 times.
    assert refused == 2 * (2 + 3 + 5 + 6) + 256


async def test_what_was_sealed_is_signed_as_what_it_is() -> None:
    rig = Rig()
    await rig.send(await rig.frame())
    [(what, command)] = rig.road.events
    assert (what, command.command_class, command.request_id, command.title) == (
        "send",
        CommandClass.READ,
        REQUEST,
        rig.title,
    )
    assert (command.client_port, command.server_port) == (2, 1)
    assert command.expires_at_ms == int(NOW.timestamp() * 1000) + 30_000
    assert command.has_its_digest
    assert verifies(command.signature, command.signed_octets(), public_key=public_key_of(SIGNING_KEY))


async def test_a_sealed_initiate_request_goes_in_its_association_message() -> None:
    rig = Rig()
    initiate = bytes.fromhex("01000000065f1f0400007e1f04b0")
    sealed = await rig.service.seal(rig.title, initiate, control=0x30)
    inside = bytes([0x21, len(sealed)]) + sealed
    information = bytes([0xBE, len(inside) + 2, 4, len(inside)]) + inside
    body = bytes.fromhex("a109060760857405080103a60a0408") + OWN + information
    await rig.send(wrap(2, 1, bytes([0x60, len(body)]) + body))
    assert [c.command_class for _, c in rig.road.events] == [CommandClass.ASSOCIATION]
    plain = bytes([0xBE, len(initiate) + 2, 4, len(initiate)]) + initiate
    rig.road.events.clear()
    assert await rig.refusal(wrap(2, 1, bytes([0x60, len(plain)]) + plain)) is Refusal.PLAINTEXT


@pytest.mark.parametrize(
    "plaintext",
    [
        pytest.param(SWITCH, id="A16 disconnect"),
        pytest.param(bytes.fromhex("c301c1004000002b0000ff02010f00"), id="A16 key transfer"),
        pytest.param(bytes.fromhex("c301c1001200002c0000ff04010f00"), id="A20 image activation"),
        pytest.param(bytes.fromhex("c101c100030100010800ff02000600000000"), id="a write"),
        pytest.param(set_clock(NOW.replace(hour=13)), id="A19 a clock an hour off"),
    ],
)
async def test_what_changes_a_meter_needs_an_approval(plaintext: bytes) -> None:
    rig = Rig()
    with pytest.raises(CommandRefusedError, match="needs an approval") as caught:
        await rig.service.seal(rig.title, plaintext, control=0x30)
    assert caught.value.refusal is Refusal.NEEDS_APPROVAL


async def test_the_right_time_goes_down_and_is_on_record_before_it_does() -> None:
    rig = Rig()
    await rig.send(await rig.frame(set_clock(NOW)))
    assert [what for what, _ in rig.road.events] == ["record", "send"]
    rig.road.events.clear()
    rig.road.raises = True
    with pytest.raises(CommandUnavailableError):
        await rig.send(await rig.frame(set_clock(NOW)))
    assert rig.road.events == []


async def test_a16_an_approval_is_used_once() -> None:
    rig = Rig(OneApproval())
    frame = await rig.frame(SWITCH)
    await rig.send(frame)
    assert [(what, c.approvals) for what, c in rig.road.events] == [
        ("record", (UUID(int=5),)),
        ("send", (UUID(int=5),)),
    ]
    rig.road.events.clear()
    assert await rig.refusal(frame) is Refusal.NEEDS_APPROVAL


SWITCHES = [
    pytest.param(SWITCH, CommandEffect.DISCONNECT, 0, id="a disconnection"),
    pytest.param(messages.encode(ActionRequest(0xC1, RECONNECT, ON)), CommandEffect.RECONNECT, 0, id="a reconnection"),
    pytest.param(messages.encode(SetRequest(0xC1, LIMIT, None, ON)), CommandEffect.LIMIT, 1, id="a limit"),
    pytest.param(messages.encode(ActionRequest(0xC1, SCRIPT, ON)), CommandEffect.OTHER, 0, id="a script"),
]


@pytest.mark.parametrize(("plaintext", "effect", "value"), SWITCHES)
async def test_a_switch_is_signed_with_its_own_effect_and_its_orders_facts(
    plaintext: bytes, effect: CommandEffect, value: int
) -> None:
    rig = Rig(OneApproval())
    await rig.send(await rig.frame(plaintext))
    _, (_, command) = rig.road.events
    assert (command.effect, command.value) == (effect, value)
    assert (command.order_id, command.requester) == (UUID(int=6), UUID(int=7))
    assert (command.feeder, command.load_w) == (8, 9_000)


async def test_a_clock_is_signed_with_how_far_it_is_off() -> None:
    rig = Rig()
    await rig.send(await rig.frame(set_clock(NOW - timedelta(seconds=90))))
    assert {(c.effect, c.value, c.order_id) for _, c in rig.road.events} == {(CommandEffect.CLOCK, 90, UUID(int=0))}


@pytest.mark.attack("A17")
async def test_nothing_is_signed_that_was_not_sealed_here_for_this_meter() -> None:
    rig = Rig()
    other = SystemTitle(rig.factory.meters[1].title)
    meter = rig.factory.meters[0]
    frame = await rig.frame()
    forged = wrap(2, 1, messages.general_glo(OWN, seal(OWN, 9, READ, key=bytes(16), auth_key=meter.auth_key)))
    weaker = seal(OWN, 9, READ, key=meter.key, auth_key=meter.auth_key, control=0x10)
    its_own = seal(meter.title, 9, READ, key=meter.key, auth_key=meter.auth_key)
    assert await rig.refusal(frame, title=other) is Refusal.BAD_SIGNATURE
    assert await rig.refusal(forged) is Refusal.BAD_SIGNATURE
    assert await rig.refusal(frame[:-1] + bytes([frame[-1] ^ 1])) is Refusal.BAD_SIGNATURE
    assert await rig.refusal(wrap(2, 1, messages.general_glo(OWN, weaker))) is Refusal.PLAINTEXT
    assert await rig.refusal(wrap(2, 1, messages.general_glo(meter.title, its_own))) is Refusal.PLAINTEXT
    assert await rig.refusal(wrap(2, 1, READ)) is Refusal.PLAINTEXT
    assert await rig.refusal(b"\0\1") is Refusal.PLAINTEXT


async def test_a_command_has_a_life_that_somebody_waits_for() -> None:
    rig = Rig()
    assert await rig.refusal(await rig.frame(), time_left_ms=300_001) is Refusal.BAD_COMMAND


async def test_what_waited_for_longer_than_its_life_is_not_sent() -> None:
    rig = Rig()
    with pytest.raises(CommandUnavailableError, match="over before its turn"):
        await rig.send(await rig.frame(), time_left_ms=0)
    assert rig.road.events == []
    await rig.send(await rig.frame(), time_left_ms=1)
    assert [command.expires_at_ms for _, command in rig.road.events] == [NOW_MS + 1]


@pytest.mark.parametrize("control", [0x00, 0x10, 0x20, 0x70, 0x32])
async def test_a5_nothing_weaker_than_authenticated_and_encrypted_is_made(control: int) -> None:
    rig = Rig()
    with pytest.raises(CommandRefusedError):
        await rig.service.seal(rig.title, READ, control=control)


async def test_a_meter_without_keys_is_refused_in_words() -> None:
    rig = Rig()
    with pytest.raises(CommandRefusedError, match="no keys") as caught:
        await rig.service.seal(SystemTitle(b"OAMnobod"), READ, control=0x30)
    assert caught.value.refusal is Refusal.UNKNOWN_TITLE
