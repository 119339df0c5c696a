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
commands = st.builds(
    lambda rid, kind, client, server, at, approvals, apdu, signature: Command(
        rid, TITLE, kind, client, server, at, tuple(approvals), apdu, sha256(apdu).digest(), signature
    ),
    uuids,
    st.sampled_from(CommandClass),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 253_402_214_400_000),
    st.lists(uuids, max_size=MAX_APPROVALS),
    st.binary(min_size=1, max_size=200),
    st.binary(min_size=64, max_size=64),
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
        pytest.param(command().encode()[:73] + b"\x09" + command().encode()[74:], id="nine approvals"),
        pytest.param(command().encode() + b"\0", id="an octet too many"),
        pytest.param(command(apdu=b"").encode(), id="no APDU"),
        pytest.param(command(apdu=bytes(MAX_APDU_OCTETS + 1)).encode(), id="an APDU too long for the link"),
        pytest.param(command(expires_at_ms=2**63).encode(), id="an expiry beyond the calendar"),
    ],
)
def test_a_command_beyond_its_bounds_is_refused(octets: bytes) -> None:
    with pytest.raises(ContractError):
        decode_command(octets)


@pytest.mark.parametrize("name", ["request_id", "title", "command_class", "expires_at_ms", "approvals", "digest"])
def test_the_signature_covers_what_the_gateway_judges_by(name: str) -> None:
    others: dict[str, object] = {
        "request_id": UUID(int=2),
        "title": SystemTitle(b"OAM\0\0\0\0\2"),
        "command_class": CommandClass.SWITCH,
        "expires_at_ms": 1_001,
        "approvals": (UUID(int=3),),
        "digest": bytes(32),
    }
    assert command(**{name: others[name]}).signed_octets() != command().signed_octets()


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
