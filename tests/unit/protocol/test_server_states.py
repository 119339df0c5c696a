"""The server's states, and what moves it from one to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.pair.protocol.parties import ECHO, ENERGY, PROFILE, SCRATCH, Case, Pair

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import (
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    ConfirmedServiceError,
    Conformance,
    Diagnostic,
    InitiateRequest,
    Mechanism,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import ActionRequest, GetRequest, SetRequest
from openami.protocol.association.channel import ALL_SERVICES
from openami.protocol.association.client import ClientAssociation, ClientState
from openami.protocol.association.errors import AssociationRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.ports import SecurityIncident
from openami.protocol.association.server import ServerAssociation, ServerState
from openami.protocol.axdr import u32
from openami.protocol.envelope.blocks import Block, build_block

NOTHING = Case(Mechanism.NONE, 0, Form.PLAIN)
LOW = Case(Mechanism.LOW, 0, Form.PLAIN)
NOT_ALLOWED = messages.encode(ExceptionResponse(1, 3))


def request(initiate: InitiateRequest, **changes: object) -> bytes:
    aarq = AssociationRequest(ApplicationContext.LOGICAL_NAMES, Mechanism.NONE, None, None, messages.encode(initiate))
    return messages.encode(replace(aarq, **changes))  # type: ignore[arg-type]  # fields by name


def response(server: ServerAssociation, octets: bytes) -> AssociationResponse:
    (answer,) = server.receive(octets)
    message = messages.decode(answer)
    assert isinstance(message, AssociationResponse)
    return message


PROPOSAL = InitiateRequest(ALL_SERVICES, 1024)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(messages.encode(GetRequest(0xC1, ENERGY)), id="read"),
        pytest.param(messages.encode(ActionRequest(0xC1, ECHO)), id="call"),
        pytest.param(build_block(Block(1, 0, b"x", is_last=True)), id="block"),
        pytest.param(bytes.fromhex("c8053000000001"), id="sealed"),
    ],
)
def test_nothing_is_served_to_nobody(octets: bytes) -> None:
    pair = Pair(NOTHING)
    assert pair.server.receive(octets) == [NOT_ALLOWED]
    assert pair.server.state is ServerState.IDLE


def test_a_release_of_nothing_is_granted() -> None:
    pair = Pair(NOTHING)
    (answer,) = pair.server.receive(messages.encode(ReleaseRequest()))
    assert isinstance(messages.decode(answer), ReleaseResponse)


@pytest.mark.parametrize(
    ("initiate", "value"),
    [
        pytest.param(replace(PROPOSAL, version=5), 1, id="version"),
        pytest.param(replace(PROPOSAL, conformance=Conformance.READ), 2, id="services"),
        pytest.param(replace(PROPOSAL, max_pdu_octets=63), 3, id="size"),
        pytest.param(replace(PROPOSAL, dedicated_key=bytes(16)), 4, id="dedicated-key-in-the-clear"),
    ],
)
def test_a_proposal_that_cannot_be_met_is_refused_with_its_reason(initiate: InitiateRequest, value: int) -> None:
    pair = Pair(NOTHING)
    answer = response(pair.server, request(initiate))
    assert answer.result is AssociationResult.REJECTED_PERMANENT
    assert answer.user_information is not None
    assert messages.decode(answer.user_information) == ConfirmedServiceError(1, 6, value)
    assert pair.server.state is ServerState.IDLE


def test_services_are_those_that_both_have() -> None:
    pair = Pair(replace(NOTHING, conformance=Conformance.GET | Conformance.SET, server_max_pdu=500))
    pair.associate()
    assert pair.association.negotiated.conformance == Conformance.GET | Conformance.SET
    assert pair.association.negotiated.max_pdu_octets == 500
    assert pair.server.client_max_pdu_octets == 1024


def test_a_client_that_wants_no_answer_gets_none_and_is_associated() -> None:
    pair = Pair(NOTHING)
    assert pair.server.receive(request(replace(PROPOSAL, response_allowed=False))) == []
    assert pair.server.state is ServerState.ASSOCIATED


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x60", b"\x60\x01\x00", b"\xc0\x01", b"\xff" * 40])
def test_octets_that_say_nothing_change_nothing(octets: bytes) -> None:
    pair = Pair(NOTHING)
    for state in (ServerState.IDLE, ServerState.ASSOCIATED):
        (answer,) = pair.server.receive(octets)
        assert isinstance(messages.decode(answer), ExceptionResponse)
        assert pair.server.state is state
        if state is ServerState.IDLE:
            pair.associate()
    assert pair.device.incidents == []


def test_an_unknown_client_is_refused_without_a_word_of_why() -> None:
    pair = Pair(NOTHING)
    stranger = ServerAssociation(pair.device, 99, security=None, dice=pair.dice)
    answer = response(stranger, request(PROPOSAL))
    assert (answer.result, answer.diagnostic) == (AssociationResult.REJECTED_PERMANENT, Diagnostic.NO_REASON)


@pytest.mark.parametrize(
    ("case", "changes", "diagnostic", "incident"),
    [
        pytest.param(LOW, {}, Diagnostic.AUTHENTICATION_REQUIRED, SecurityIncident.DOWNGRADE, id="no-password"),
        pytest.param(
            LOW,
            {"mechanism": Mechanism.LOW, "calling_authentication": b"wrong"},
            Diagnostic.AUTHENTICATION_FAILURE,
            SecurityIncident.FAILED_AUTHENTICATION,
            id="wrong-password",
        ),
        pytest.param(
            NOTHING,
            {"context": ApplicationContext.SHORT_NAMES},
            Diagnostic.CONTEXT_NOT_SUPPORTED,
            None,
            id="short-names",
        ),
        pytest.param(
            NOTHING,
            {"mechanism": Mechanism.LOW, "calling_authentication": b"secret"},
            Diagnostic.MECHANISM_NOT_RECOGNIZED,
            SecurityIncident.DOWNGRADE,
            id="a-password-nobody-asked-for",
        ),
    ],
)
def test_who_may_not_come_in_is_told_by_the_standards_word(
    case: Case, changes: dict[str, object], diagnostic: Diagnostic, incident: SecurityIncident | None
) -> None:
    pair = Pair(case)
    answer = response(pair.server, request(PROPOSAL, **changes))
    assert (answer.result, answer.diagnostic) == (AssociationResult.REJECTED_PERMANENT, diagnostic)
    assert pair.device.incidents == ([incident] if incident is not None else [])
    assert pair.server.state is ServerState.IDLE


def test_a_client_is_told_why_it_is_refused() -> None:
    pair = Pair(LOW)
    pair.association = ClientAssociation(replace(pair.settings, secret=b"wrong"))
    with pytest.raises(AssociationRefusedError) as refused:
        pair.associate()
    assert refused.value.diagnostic == Diagnostic.AUTHENTICATION_FAILURE
    assert pair.association.state is ClientState.IDLE


def test_a_second_association_begins_anew() -> None:
    pair = Pair()
    pair.associate()
    pair.association = ClientAssociation(pair.settings)
    pair.associate()
    assert pair.run(pair.association.read(ENERGY)) == u32(123_456)


def test_a_link_that_closes_ends_the_association() -> None:
    pair = Pair()
    pair.associate()
    pair.server.abort()
    assert pair.server.state is ServerState.IDLE
    assert pair.server.receive(messages.encode(GetRequest(0xC1, ENERGY))) == [NOT_ALLOWED]


@pytest.mark.parametrize(
    ("ask", "is_done"),
    [
        (SetRequest(0x81, SCRATCH, None, u32(8)), lambda p: p.device.values[SCRATCH] == u32(8)),
        (ActionRequest(0x81, ECHO, u32(8)), lambda p: p.device.calls == [(ECHO, u32(8))]),
    ],
    ids=["write", "call"],
)
def test_an_unconfirmed_request_is_served_in_silence(
    ask: SetRequest | ActionRequest, is_done: Callable[[Pair], bool]
) -> None:
    pair = Pair(NOTHING)
    pair.associate()
    assert pair.server.receive(messages.encode(ask)) == []
    assert is_done(pair)


def test_general_blocks_that_were_not_agreed_on_are_refused() -> None:
    pair = Pair(replace(NOTHING, conformance=Conformance.GET))
    pair.associate()
    assert pair.server.receive(build_block(Block(1, 0, b"\xc0", is_last=True))) == [NOT_ALLOWED]
    assert pair.server.resend() == []


def test_general_blocks_are_said_again_when_nobody_confirms_them() -> None:
    conformance = Conformance.GET | Conformance.GENERAL_BLOCK_TRANSFER
    pair = Pair(replace(NOTHING, conformance=conformance, client_max_pdu=64))
    pair.associate()
    (first,) = pair.server.receive(messages.encode(GetRequest(0xC1, PROFILE)))
    assert pair.server.resend() == [first]
    (second,) = pair.server.receive(build_block(Block(1, 1, b"", is_last=True, window=1)))
    assert second != first
    assert pair.server.resend() == [second]
