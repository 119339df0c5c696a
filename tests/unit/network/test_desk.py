"""The gateway's desk: what goes down, to whom, once, and what is said of it. Time and collectors are the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import (
    COMMAND_MAGIC,
    Command,
    CommandClass,
    CommandEffect,
    CommandOutcome,
    OutcomeKind,
    Refusal,
)
from openami.kernel.ids import SystemTitle
from openami.network.downlink import MAX_TIME_LEFT_MS, Result, decode_down, encode_result
from openami.network.gateway.desk import CommandDesk
from openami.network.gateway.rate import CommandRate, CommandRates
from openami.network.gateway.routes import RouteBook
from openami.network.gateway.thresholds import SwitchingGuard
from openami.network.link import LinkError, LinkMessage, MessageType, encode_message
from openami.security.suites.ed25519 import public_key_of, sign, verifies

PRIVATE, OTHER = bytes(range(32)), bytes(range(1, 33))
METER = SystemTitle(b"OAM\0\0\0\0\1")
CLIENT = b"OAMclien"
NOW_MS = 1_800_000_000_000
WRAPPED = 8


def glo(*, control: int = 0x30, size: int = 10) -> bytes:
    body = bytes([control]) + (5).to_bytes(4) + bytes(size) + bytes(12)
    return b"\xdb\x08" + CLIENT + bytes([len(body)]) + body


def aarq(user_information: bytes) -> bytes:
    body = b"\xa1\x09\x06\x07\x60\x85\x74\x05\x08\x01\x03\xa6\x0a\x04\x08" + CLIENT
    body += bytes([0xBE, len(user_information) + 2, 0x04, len(user_information)]) + user_information
    return bytes([0x60, len(body)]) + body


SEALED_INITIATE = b"\x21" + bytes([30]) + b"\x30" + bytes(29)
PLAIN_INITIATE = bytes.fromhex("01000000065f1f0400007e1f04b0")


def command(number: int = 1, **changes: object) -> Command:
    apdu = changes.pop("apdu", glo())
    assert isinstance(apdu, bytes)
    if changes.get("command_class") is CommandClass.SWITCH:
        changes = {"effect": CommandEffect.DISCONNECT} | changes
    fields: dict[str, object] = {
        "request_id": UUID(int=number),
        "title": METER,
        "command_class": CommandClass.READ,
        "client_port": 2,
        "server_port": 1,
        "expires_at_ms": NOW_MS + 20_000,
        "approvals": (),
        "apdu": apdu,
        "digest": sha256(apdu).digest(),
    }
    return Command(**(fields | changes))  # type: ignore[arg-type]  # fields of the test's own making


def signed(given: Command, *, private_key: bytes = PRIVATE) -> bytes:
    return given.signed_with(sign(given.signed_octets(), private_key=private_key)).encode()


def signature_of(given: Command) -> bytes:
    return sign(given.signed_octets(), private_key=PRIVATE)


GENUINE = signed(command(approvals=(UUID(int=5),)))


class OneKey:
    def verifies(self, signature: bytes, octets: bytes) -> bool:
        return verifies(signature, octets, public_key=public_key_of(PRIVATE))

    def refresh(self) -> None:
        pass


@dataclass
class Desk:
    """A desk, what it handed down by collector, and what it said."""

    takes: bool = True
    rates: CommandRates | None = None
    guard: SwitchingGuard | None = None
    handed: list[tuple[int, LinkMessage]] = field(default_factory=list)
    said: list[CommandOutcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk = CommandDesk(
            keys=OneKey(),
            send=self._send,
            tell=self.said.append,
            first_number=9,
            rates=self.rates,
            guard=self.guard,
        )
        self.desk.book.heard(METER.octets, 7)

    def _send(self, collector_id: int, octets: bytes) -> bool:
        kind, frame_class, seq = octets[4], octets[5], int.from_bytes(octets[6:14])
        self.handed.append((collector_id, LinkMessage(kind, frame_class, seq, octets[14:22], 0, octets[30:])))
        return self.takes

    def expects(self, collector_id: int, *, is_association: bool = True, now_ms: int = NOW_MS) -> bool:
        return self.desk.expects_in_clear(METER.octets, collector_id, is_association=is_association, now_ms=now_ms)

    def result(self, result: Result, *, number: int = 9, collector_id: int = 7, title: bytes = METER.octets) -> None:
        octets = encode_result(number, title, result)
        message = LinkMessage(MessageType.RESULT, 0, number, title, 0, octets[30:])
        self.desk.result(collector_id, message, now_ms=NOW_MS + 1)


def test_a_good_command_goes_to_the_collector_that_heard_the_meter_last() -> None:
    desk = Desk()
    desk.desk.book.heard(METER.octets, 8)
    desk.desk.take(signed(command()), now_ms=NOW_MS)
    [(collector_id, message)] = desk.handed
    time_left_ms, frame = decode_down(message.body)
    assert (collector_id, message.type, message.title) == (8, MessageType.DOWN, METER.octets)
    assert (time_left_ms, frame) == (20_000, b"\0\1\0\2\0\1" + len(glo()).to_bytes(2) + glo())
    assert desk.said == []


REFUSED: list[tuple[str, Callable[[], bytes], Refusal]] = [
    ("A17 forged signature", lambda: signed(command(), private_key=OTHER), Refusal.BAD_SIGNATURE),
    ("A17 no signature", lambda: command().encode(), Refusal.BAD_SIGNATURE),
    (
        "A16 an approval added after signing",
        lambda: replace(command(), approvals=(UUID(int=5),), signature=signature_of(command())).encode(),
        Refusal.BAD_SIGNATURE,
    ),
    (
        "A17 another class than was signed",
        lambda: replace(
            command(command_class=CommandClass.SWITCH, approvals=(UUID(int=5),)), signature=signature_of(command())
        ).encode(),
        Refusal.BAD_SIGNATURE,
    ),
    ("A6 altered APDU", lambda: signed(command())[:-1] + b"\x01", Refusal.BAD_DIGEST),
    (
        "A16 a switch without approval",
        lambda: signed(command(command_class=CommandClass.SWITCH)),
        Refusal.NEEDS_APPROVAL,
    ),
    ("A16 a key without approval", lambda: signed(command(command_class=CommandClass.KEY)), Refusal.NEEDS_APPROVAL),
    (
        "A20 an image without approval",
        lambda: signed(command(command_class=CommandClass.FIRMWARE)),
        Refusal.NEEDS_APPROVAL,
    ),
    ("A5 plaintext GET", lambda: signed(command(apdu=b"\xc0\x01\xc1\x00\x08\0\0\1\0\0\xff\2\0")), Refusal.PLAINTEXT),
    ("A5 authenticated only", lambda: signed(command(apdu=glo(control=0x10))), Refusal.PLAINTEXT),
    ("A5 encrypted only", lambda: signed(command(apdu=glo(control=0x20))), Refusal.PLAINTEXT),
    ("A12 broadcast key", lambda: signed(command(apdu=glo(control=0x70))), Refusal.PLAINTEXT),
    (
        "A6 no room for a tag",
        lambda: signed(command(apdu=b"\xdb\x08" + CLIENT + b"\x05\x30" + bytes(4))),
        Refusal.PLAINTEXT,
    ),
    (
        "A5 plain initiate request",
        lambda: signed(command(apdu=aarq(PLAIN_INITIATE), command_class=CommandClass.ASSOCIATION)),
        Refusal.PLAINTEXT,
    ),
    ("an association called a read", lambda: signed(command(apdu=aarq(SEALED_INITIATE))), Refusal.PLAINTEXT),
    (
        "a life of an hour",
        lambda: signed(command(expires_at_ms=NOW_MS + MAX_TIME_LEFT_MS + 1)),
        Refusal.BAD_COMMAND,
    ),
    ("a meter never heard", lambda: signed(command(title=SystemTitle(b"OAM\0\0\0\0\2"))), Refusal.NO_ROUTE),
]


@pytest.mark.parametrize(("make", "refusal"), [pytest.param(m, r, id=name) for name, m, r in REFUSED])
def test_the_gateway_refuses(make: Callable[[], bytes], refusal: Refusal) -> None:
    desk = Desk()
    desk.desk.take(make(), now_ms=NOW_MS)
    assert desk.handed == []
    assert [(o.kind, o.refusal) for o in desk.said] == [(OutcomeKind.REFUSED, refusal)]


def test_a_service_specific_request_passes_as_sealed_as_any() -> None:
    desk = Desk()
    for control in (0x30, 0x10):
        body = bytes([control]) + bytes(4 + 9 + 12)
        desk.desk.take(signed(command(control, apdu=bytes([0xC8, len(body)]) + body)), now_ms=NOW_MS)
    assert len(desk.handed) == 1
    assert [o.refusal for o in desk.said] == [Refusal.PLAINTEXT]


@settings(max_examples=200)
@given(st.data())
def test_a6_no_bit_of_a_signed_command_can_be_altered(data: st.DataObject) -> None:
    desk, octets = Desk(), bytearray(GENUINE)
    for place in data.draw(st.lists(st.integers(0, len(GENUINE) * 8 - 1), min_size=1, max_size=3, unique=True)):
        octets[place // 8] ^= 1 << place % 8
    desk.desk.take(bytes(octets), now_ms=NOW_MS)
    assert desk.handed == []


@settings(max_examples=100)
@given(st.integers(0, 400), st.binary(max_size=40))
def test_a21_pieces_of_commands_reach_no_collector(cut: int, tail: bytes) -> None:
    desk, octets = Desk(), GENUINE[:cut] + tail
    desk.desk.take(octets, now_ms=NOW_MS)
    assert desk.handed == [] or octets == GENUINE


def test_a_switch_with_an_approval_passes() -> None:
    desk = Desk()
    desk.desk.take(signed(command(command_class=CommandClass.SWITCH, approvals=(UUID(int=5),))), now_ms=NOW_MS)
    assert len(desk.handed) == 1


def test_a_command_whose_time_is_over_goes_nowhere() -> None:
    desk = Desk()
    desk.desk.take(signed(command(expires_at_ms=NOW_MS)), now_ms=NOW_MS)
    assert desk.handed == []
    assert [o.kind for o in desk.said] == [OutcomeKind.EXPIRED]


def test_octets_that_are_no_command_are_counted_and_nothing_else() -> None:
    desk = Desk()
    desk.desk.take(COMMAND_MAGIC + bytes(500), now_ms=NOW_MS)
    assert (desk.handed, desk.said, desk.desk.counts["commands_unreadable"]) == ([], [], 1)


def test_a1_a_command_goes_down_once_even_after_its_answer() -> None:
    desk = Desk()
    octets = signed(command())
    desk.desk.take(octets, now_ms=NOW_MS)
    desk.result(Result(OutcomeKind.ANSWERED, answer=b"\1" * 32))
    desk.desk.take(octets, now_ms=NOW_MS + 19_999)
    desk.desk.end_overdue(now_ms=NOW_MS + 20_000)
    desk.desk.take(octets, now_ms=NOW_MS + 20_000)
    assert len(desk.handed) == 1
    assert [(o.kind, o.refusal) for o in desk.said] == [
        (OutcomeKind.ANSWERED, Refusal.NONE),
        (OutcomeKind.REFUSED, Refusal.REPEATED),
        (OutcomeKind.EXPIRED, Refusal.NONE),
    ]


def test_a_flood_of_one_class_stops_at_its_rate_and_others_go_on() -> None:
    rates = CommandRates({CommandClass.WRITE: CommandRate(1.0, 50), CommandClass.READ: CommandRate(1.0, 1)})
    desk = Desk(rates=rates)
    for number in range(500):
        desk.desk.take(signed(command(number, command_class=CommandClass.WRITE)), now_ms=NOW_MS)
    assert (len(desk.handed), desk.desk.counts["command_over_rate"]) == (50, 450)
    desk.desk.take(signed(command(600)), now_ms=NOW_MS)
    desk.desk.take(signed(command(601, command_class=CommandClass.WRITE)), now_ms=NOW_MS + 1_000)
    assert len(desk.handed) == 52


def test_a_restart_gives_no_class_its_burst_again(tmp_path: Path) -> None:
    rates = {CommandClass.KEY: CommandRate(1.0, 50)}
    file = tmp_path / "rates"

    def passes(*, now_ms: int) -> int:
        desk = Desk(rates=CommandRates(rates, file=file))
        for number in range(100):
            key = command(
                number, command_class=CommandClass.KEY, approvals=(UUID(int=5),), expires_at_ms=now_ms + 1_000
            )
            desk.desk.take(signed(key), now_ms=now_ms)
        desk.desk.rates.keep()
        return len(desk.handed)

    assert [passes(now_ms=NOW_MS), passes(now_ms=NOW_MS), passes(now_ms=NOW_MS + 7_000)] == [50, 0, 7]
    for spoiled in (b"{", b"[]", b'{"key": [-1, 0]}', b'{"key": [1e9, 0]}', b'{"key": ["x", 0]}', b"[" * 9_999):
        file.write_bytes(spoiled)
        at_ms = file.stat().st_mtime_ns // 1_000_000
        assert passes(now_ms=at_ms) == 0
    file.write_bytes(b"{")
    assert passes(now_ms=file.stat().st_mtime_ns // 1_000_000 + 9_000) == 9


def test_a_collector_that_leaves_leaves_no_answer() -> None:
    desk = Desk()
    desk.desk.take(signed(command()), now_ms=NOW_MS)
    desk.desk.collector_left(8, now_ms=NOW_MS)
    assert desk.said == []
    desk.desk.collector_left(7, now_ms=NOW_MS)
    desk.desk.collector_left(7, now_ms=NOW_MS)
    assert [(o.request_id, o.kind) for o in desk.said] == [(UUID(int=1), OutcomeKind.NO_ANSWER)]


def test_a_result_that_never_comes_is_no_answer_when_the_time_is_over() -> None:
    desk = Desk()
    desk.desk.take(signed(command()), now_ms=NOW_MS)
    desk.desk.end_overdue(now_ms=NOW_MS + 19_999)
    assert desk.said == []
    desk.desk.end_overdue(now_ms=NOW_MS + 20_000)
    assert [o.kind for o in desk.said] == [OutcomeKind.NO_ANSWER]


def test_a_collector_that_takes_nothing_is_no_route() -> None:
    desk = Desk(takes=False)
    desk.desk.take(signed(command()), now_ms=NOW_MS)
    assert [o.refusal for o in desk.said] == [Refusal.NO_ROUTE]


def test_what_could_not_be_handed_down_counts_in_no_threshold_and_may_come_again() -> None:
    desk = Desk(takes=False)
    switches = []
    for number in range(11):
        title = SystemTitle(b"OAM\0\0\0\1" + bytes([number]))
        desk.desk.book.heard(title.octets, 7)
        how = {"title": title, "command_class": CommandClass.SWITCH, "approvals": (UUID(int=5),)}
        switches.append(signed(command(number, **how)))
    for octets in switches:
        desk.desk.take(octets, now_ms=NOW_MS)
    assert {o.refusal for o in desk.said} == {Refusal.NO_ROUTE}
    desk.takes = True
    desk.said.clear()
    for octets in switches:
        desk.desk.take(octets, now_ms=NOW_MS)
    assert [o.refusal for o in desk.said] == [Refusal.QUARANTINED]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"number": 10}, id="a number that is not open"),
        pytest.param({"collector_id": 8}, id="another collector"),
        pytest.param({"title": b"OAM\0\0\0\0\2"}, id="another meter"),
    ],
)
def test_a_result_of_something_else_changes_nothing(where: dict[str, object]) -> None:
    desk = Desk()
    desk.desk.take(signed(command()), now_ms=NOW_MS)
    desk.result(Result(OutcomeKind.ANSWERED, answer=b"\1" * 32), **where)  # type: ignore[arg-type]  # test's own
    assert desk.said == []
    desk.result(Result(OutcomeKind.NO_ANSWER))
    assert [o.kind for o in desk.said] == [OutcomeKind.NO_ANSWER]


@pytest.mark.parametrize("body", [b"", bytes(34), b"\x07" + bytes(33), b"\5" + bytes(33), b"\3\0" + b"\1" * 32])
def test_a_result_that_is_none_ends_the_connection(body: bytes) -> None:
    desk = Desk()
    with pytest.raises(LinkError):
        desk.desk.result(7, LinkMessage(MessageType.RESULT, 0, 9, METER.octets, 0, body), now_ms=NOW_MS)


def test_the_answer_to_an_association_is_expected_once_from_its_collector_and_not_for_long() -> None:
    desk = Desk()
    associate = command(apdu=aarq(SEALED_INITIATE), command_class=CommandClass.ASSOCIATION)
    assert not desk.expects(7)
    desk.desk.take(signed(associate), now_ms=NOW_MS)
    assert not desk.expects(8)
    assert desk.expects(7)
    assert not desk.expects(7)
    desk.desk.take(signed(replace(associate, request_id=UUID(int=2))), now_ms=NOW_MS)
    assert not desk.expects(7, now_ms=NOW_MS + 10**6)


def test_a_sealed_command_opens_no_door_for_an_association_and_one_for_a_refusal() -> None:
    desk = Desk()
    desk.desk.take(signed(command(command_class=CommandClass.ASSOCIATION)), now_ms=NOW_MS)
    assert len(desk.handed) == 1
    assert not desk.expects(7)
    assert desk.expects(7, is_association=False)
    assert not desk.expects(7, is_association=False)


def test_routes_are_bounded_and_outlive_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("openami.network.gateway.routes.MAX_ROUTES", 3)
    book = RouteBook(tmp_path / "routes")
    for number in range(10):
        book.heard(number.to_bytes(8), number)
    book.keep()
    assert RouteBook(tmp_path / "routes").routes == {n.to_bytes(8): n for n in (7, 8, 9)}


@pytest.mark.parametrize("place", [0, 5, 15, -1])
def test_spoiled_routes_are_forgotten(tmp_path: Path, place: int) -> None:
    book = RouteBook(tmp_path / "routes")
    book.heard(METER.octets, 7)
    book.keep()
    octets = bytearray((tmp_path / "routes").read_bytes())
    octets[place] ^= 1
    (tmp_path / "routes").write_bytes(bytes(octets))
    assert RouteBook(tmp_path / "routes").routes == {}
    (tmp_path / "routes").write_bytes(b"")
    assert RouteBook(tmp_path / "routes").routes == {}


def test_a_down_message_is_one_of_the_link() -> None:
    with pytest.raises(LinkError):
        decode_down(encode_message(MessageType.DOWN)[30:])
