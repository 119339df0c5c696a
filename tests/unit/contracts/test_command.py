"""Commands and outcomes: what is written is read again; every other octet is a ContractError."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import (
    MAX_APDU_OCTETS,
    MAX_APPROVALS,
    NO_DIGEST,
    Command,
    CommandClass,
    CommandEffect,
    CommandOutcome,
    OutcomeKind,
    Refusal,
    decode_command,
    decode_outcome,
)
from openami.contracts.errors import ContractError
from openami.kernel.ids import SystemTitle

TITLE = SystemTitle(b"OAM\0\0\0\0\1")
APDU = b"\xdb sealed"
uuids = st.uuids()
KINDS = [
    (CommandClass.ASSOCIATION, CommandEffect.NONE),
    (CommandClass.READ, CommandEffect.NONE),
    (CommandClass.WRITE, CommandEffect.CLOCK),
    (CommandClass.SWITCH, CommandEffect.DISCONNECT),
    (CommandClass.SWITCH, CommandEffect.RECONNECT),
    (CommandClass.SWITCH, CommandEffect.LIMIT),
    (CommandClass.SWITCH, CommandEffect.OTHER),
    (CommandClass.FIRMWARE, CommandEffect.NONE),
    (CommandClass.KEY, CommandEffect.OTHER),
]
commands = st.builds(
    lambda rid, kind, client, server, at, approvals, apdu, signature, *rest: Command(
        rid,
        TITLE,
        kind[0],
        client,
        server,
        at,
        tuple(approvals),
        apdu,
        sha256(apdu).digest(),
        signature,
        kind[1],
        *rest,
    ),
    uuids,
    st.sampled_from(KINDS),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 253_402_214_400_000),
    st.lists(uuids, max_size=MAX_APPROVALS),
    st.binary(min_size=1, max_size=200),
    st.binary(min_size=64, max_size=64),
    st.integers(-(2**63), 2**63 - 1),
    uuids,
    uuids,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)


def command(**changes: object) -> Command:
    fields: dict[str, object] = {
        "request_id": UUID(int=1),
        "title": TITLE,
        "command_class": CommandClass.READ,
        "client_port": 2,
        "server_port": 1,
        "expires_at_ms": 1_000,
        "approvals": (),
        "apdu": APDU,
        "digest": sha256(APDU).digest(),
    }
    return Command(**(fields | changes))  # type: ignore[arg-type]  # fields of the test's own making


@settings(max_examples=60)
@given(commands)
def test_a_command_is_read_as_it_was_written(given_command: Command) -> None:
    assert decode_command(given_command.encode()) == given_command
    assert given_command.has_its_digest


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_octets_give_a_command_an_outcome_or_a_contract_error(octets: bytes) -> None:
    for decode in (decode_command, decode_outcome):
        try:
            decode(octets)
        except ContractError:
            continue


@settings(max_examples=80)
@given(st.data())
def test_a_flipped_bit_gives_another_command_or_a_contract_error(data: st.DataObject) -> None:
    octets = bytearray(command(approvals=(UUID(int=7),)).encode())
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = decode_command(bytes(octets))
    except ContractError:
        return
    assert found.encode() == bytes(octets)


@pytest.mark.parametrize("cut", [0, 3, 40, 100, -1])
def test_a_cut_command_is_refused(cut: int) -> None:
    with pytest.raises(ContractError):
        decode_command(command().encode()[:cut])


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"OX01" + command().encode()[4:], id="another magic"),
        pytest.param(command().encode()[:28] + b"\x07" + command().encode()[29:], id="a class there is not"),
        pytest.param(command().encode()[:122] + b"\x09" + command().encode()[123:], id="nine approvals"),
        pytest.param(b"OC01" + command().encode()[4:], id="the layout before, which named no effect"),
        pytest.param(command().encode()[:29] + b"\x09" + command().encode()[30:], id="an effect there is not"),
        pytest.param(command(effect=CommandEffect.DISCONNECT).encode(), id="A14 a disconnection called a read"),
        pytest.param(command(command_class=CommandClass.SWITCH).encode(), id="A14 a switch that does nothing"),
        pytest.param(
            command(command_class=CommandClass.SWITCH, effect=CommandEffect.CLOCK).encode(), id="a switch of the clock"
        ),
        pytest.param(command().encode() + b"\0", id="an octet too many"),
        pytest.param(command(apdu=b"").encode(), id="no APDU"),
        pytest.param(command(apdu=bytes(MAX_APDU_OCTETS + 1)).encode(), id="an APDU too long for the link"),
        pytest.param(command(expires_at_ms=2**63).encode(), id="an expiry beyond the calendar"),
    ],
)
def test_a_command_beyond_its_bounds_is_refused(octets: bytes) -> None:
    with pytest.raises(ContractError):
        decode_command(octets)


OTHERS: dict[str, object] = {
    "request_id": UUID(int=2),
    "title": SystemTitle(b"OAM\0\0\0\0\2"),
    "command_class": CommandClass.SWITCH,
    "expires_at_ms": 1_001,
    "approvals": (UUID(int=3),),
    "digest": bytes(32),
    "effect": CommandEffect.CLOCK,
    "value": 1,
    "order_id": UUID(int=4),
    "requester": UUID(int=5),
    "feeder": 6,
    "load_w": 7,
}


@pytest.mark.attack("A17")
@pytest.mark.parametrize("name", OTHERS)
def test_the_signature_covers_what_the_gateway_judges_by(name: str) -> None:
    assert command(**{name: OTHERS[name]}).signed_octets() != command().signed_octets()


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.ANSWERED, 5, answer=b"\1" * 32), id="answered"),
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.REFUSED, 5, Refusal.NO_ROUTE), id="refused"),
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.EXPIRED, 5), id="expired"),
    ],
)
def test_an_outcome_is_read_as_it_was_written(outcome: CommandOutcome) -> None:
    assert decode_outcome(outcome.encode()) == outcome


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.REFUSED, 5), id="refused without a reason"),
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.EXPIRED, 5, Refusal.BUSY), id="a reason too many"),
        pytest.param(
            CommandOutcome(UUID(int=1), TITLE, OutcomeKind.NO_ANSWER, 5, answer=b"\1" * 32), id="an answer to nothing"
        ),
        pytest.param(CommandOutcome(UUID(int=1), TITLE, OutcomeKind.EXPIRED, 2**60, answer=NO_DIGEST), id="no date"),
    ],
)
def test_an_outcome_that_contradicts_itself_is_refused(outcome: CommandOutcome) -> None:
    with pytest.raises(ContractError):
        decode_outcome(outcome.encode())
