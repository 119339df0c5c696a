"""Somebody on the wire: what is replayed, forged, weakened or turned round changes nothing. Ids are the attack rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.pair.protocol.parties import (
    CLIENT_TITLE,
    ECHO,
    ENERGY,
    PROFILE,
    SCRATCH,
    SERVER_TITLE,
    Case,
    Pair,
    keys_for,
)

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import (
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    InitiateRequest,
    Mechanism,
    ReleaseRequest,
)
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import ActionRequest, GetRequest
from openami.protocol.association.channel import ALL_SERVICES
from openami.protocol.association.client import ClientAssociation, ClientState
from openami.protocol.association.client_establish import REPLY_TO_HLS
from openami.protocol.association.counters import MAX_FORWARD_JUMP, CountUp, RisingCounter
from openami.protocol.association.errors import AssociationRefusedError, ServiceRefusedError
from openami.protocol.association.form import Form, enclose
from openami.protocol.association.ports import SecurityIncident
from openami.protocol.association.protection import Protection
from openami.protocol.association.server import ServerState
from openami.protocol.axdr import octet_string, u32
from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.gcm import seal

READ = messages.encode(GetRequest(0xC1, ENERGY))
REFUSED = messages.encode(ExceptionResponse(1, 5))
"""One answer for everything that does not open."""


def associated(case: Case | None = None) -> Pair:
    pair = Pair(case)
    pair.associate()
    return pair


def sealed(
    pair: Pair,
    plain: bytes,
    *,
    counter: int,
    control: int | None = None,
    form: Form = Form.GLO,
    title: bytes = CLIENT_TITLE,
    salt: int = 0,
) -> bytes:
    """A message of the client's, or of somebody who has its keys and twists the rest."""
    control = pair.case.control if control is None else control
    keys = keys_for(0 if control & 0x0F == 0 else pair.case.suite, is_client=True, salt=salt)
    # The octets that a suite does not have (key set, compression) are put in after sealing.
    body = seal(title, counter, plain, key=keys.encryption, auth_key=keys.authentication, control=control & 0x3F)
    return enclose(form, plain, bytes((control,)) + body[1:], own_title=title)


def still_works(pair: Pair) -> None:
    assert pair.server.state is ServerState.ASSOCIATED
    assert pair.run(pair.association.read(ENERGY)) == u32(123_456)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(lambda a: a.read(ENERGY), id="A1-read"),
        pytest.param(lambda a: a.write(SCRATCH, u32(9)), id="A1-write"),
        pytest.param(lambda a: a.call(ECHO, u32(9)), id="A1-command"),
    ],
)
def test_a_replayed_request_is_dropped_and_told(asked: Callable[[ClientAssociation], object]) -> None:
    pair = associated()
    pair.run(asked(pair.association))  # type: ignore[arg-type]  # steps of any value
    pair.device.values[SCRATCH] = u32(1)
    calls, last = list(pair.device.calls), pair.server_received.last
    assert pair.server.receive(pair.sent[-1]) == [REFUSED]
    assert pair.device.incidents == [SecurityIncident.REPLAY]
    assert (pair.device.calls, pair.device.values[SCRATCH], pair.server_received.last) == (calls, u32(1), last)
    still_works(pair)


@pytest.mark.attack("A1", "A2")
def test_a_replayed_answer_is_refused_by_the_client() -> None:
    """A1, A2: also an older answer, put in the place of a newer one."""
    pair = associated()
    pair.run(pair.association.read(ENERGY))
    last = pair.client_received.last
    for old in pair.answers[-2:]:
        with pytest.raises(PeerError) as refused:
            pair.run(pair.association.read(ENERGY), exchange=lambda _, old=old: old)  # type: ignore[misc]  # bound here
        assert refused.value.code in {"replay", "bad_content"}
    assert pair.client_received.last == last
    still_works(pair)


@pytest.mark.attack("A1", "A8")
def test_a_replayed_association_neither_opens_nor_ends_one() -> None:
    """A1, A8."""
    pair = associated()
    aarq, proof = pair.sent[0], pair.sent[1]
    (answer,) = pair.server.receive(aarq)
    response = messages.decode(answer)
    assert isinstance(response, AssociationResponse)
    assert response.result != 0
    assert pair.server.receive(proof) == [REFUSED]
    assert SecurityIncident.REPLAY in pair.device.incidents
    still_works(pair)


@pytest.mark.attack("A8")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(control=0, form=Form.PLAIN), id="A8-plain"),
        pytest.param(Case(Mechanism.HIGH_ECDSA, 0x31), id="A8-signature"),
    ],
)
def test_a_replayed_proof_does_not_answer_a_new_challenge(case: Case) -> None:
    """The proof of yesterday, also where nothing seals it."""
    pair = associated(case)
    proof = pair.sent[1]
    again = pair.new_server()
    fresh = ClientAssociation(pair.settings)
    pair.server = again
    steps = fresh.associate(challenge=pair.dice(16))
    with pytest.raises((AssociationRefusedError, ServiceRefusedError)):
        pair.run(steps, exchange=lambda o: pair.exchange(o if o[0] == 0x60 else proof))
    assert again.state is not ServerState.ASSOCIATED
    assert pair.device.incidents


WEAKER = [
    pytest.param(0x30, 0x10, SecurityIncident.DOWNGRADE, "downgrade", id="A5-authenticated-only"),
    pytest.param(0x30, 0x20, SecurityIncident.DOWNGRADE, "downgrade", id="A5-encrypted-only"),
    pytest.param(0x10, 0x20, SecurityIncident.DOWNGRADE, "downgrade", id="A5-encrypted-for-authenticated"),
    pytest.param(0x31, 0x30, SecurityIncident.DOWNGRADE, "unknown_suite", id="A5-lower-suite"),
    pytest.param(0x30, 0x31, SecurityIncident.DOWNGRADE, "unknown_suite", id="A5-other-suite"),
    pytest.param(0x30, 0x70, SecurityIncident.DOWNGRADE, "broadcast", id="A5-key-set-bit"),
    pytest.param(0x30, 0xB0, SecurityIncident.DOWNGRADE, "compressed", id="A5-compressed"),
]


@pytest.mark.parametrize(("policy", "control", "incident", "code"), WEAKER)
def test_a_weaker_message_than_agreed_is_refused_at_both_ends(
    policy: int, control: int, incident: SecurityIncident, code: str
) -> None:
    pair = associated(Case(control=policy))
    last = pair.server_received.last
    assert pair.server.receive(sealed(pair, READ, counter=50, control=control)) == [REFUSED]
    assert (pair.device.incidents, pair.server_received.last) == ([incident], last)
    answer = sealed(pair, b"\xc4\x01\xc1\x00\x06\x00\x00\x00\x01", counter=50, control=control, title=SERVER_TITLE)
    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.read(ENERGY), exchange=lambda _: answer)
    assert refused.value.code == code
    still_works(pair)


@pytest.mark.attack("A5")
def test_plaintext_where_ciphering_is_agreed_is_never_parsed() -> None:
    """A5."""
    pair = associated()
    assert pair.server.receive(READ) == [REFUSED]
    assert pair.device.incidents == [SecurityIncident.PLAINTEXT]
    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.read(ENERGY), exchange=lambda _: b"\xc4\x01\xc1\x00\x06\x00\x00\x00\x01")
    assert refused.value.code == "plaintext"
    still_works(pair)


@pytest.mark.attack("A5")
def test_a_plain_release_ends_nothing_where_releases_are_sealed() -> None:
    """A5; where they are not, it is a release, as many clients send it."""
    pair = Pair()
    plain = messages.encode(ReleaseRequest())
    for is_sealed, state in ((True, ServerState.ASSOCIATED), (False, ServerState.IDLE)):
        pair.security = replace(pair.security, sealed_release=is_sealed)
        pair.server, pair.association = pair.new_server(), ClientAssociation(pair.settings)
        pair.associate()
        pair.server.receive(plain)
        assert pair.server.state is state


@pytest.mark.parametrize(
    ("context", "mechanism"),
    [
        pytest.param(ApplicationContext.LOGICAL_NAMES, Mechanism.HIGH_GMAC, id="A5-plain-context"),
        pytest.param(ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.NONE, id="A5-no-authentication"),
        pytest.param(ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.LOW, id="A5-password"),
        pytest.param(ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.HIGH_MD5, id="A5-md5"),
        pytest.param(ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.HIGH_ECDSA, id="A5-another-high"),
        pytest.param(ApplicationContext.SHORT_NAMES_CIPHERED, Mechanism.HIGH_GMAC, id="A5-short-names"),
    ],
)
def test_an_association_weaker_than_the_profile_is_refused(context: ApplicationContext, mechanism: Mechanism) -> None:
    pair = Pair()
    plain = messages.encode(InitiateRequest(ALL_SERVICES, 1024))
    is_ciphered = context is ApplicationContext.LOGICAL_NAMES_CIPHERED
    value = None if mechanism is Mechanism.NONE else pair.dice(16)
    request = AssociationRequest(
        context, mechanism, CLIENT_TITLE, value, sealed(pair, plain, counter=1) if is_ciphered else plain
    )
    (answer,) = pair.server.receive(messages.encode(request))
    response = messages.decode(answer)
    assert isinstance(response, AssociationResponse)
    assert response.result != 0
    assert pair.server.state is ServerState.IDLE
    assert pair.server_received.last is None
    pair.associate()


FORMS = [pytest.param(Form.GLO, id="glo"), pytest.param(Form.GENERAL_GLO, id="general-glo")]


@pytest.mark.attack("A6")
@pytest.mark.parametrize("form", FORMS)
def test_every_flipped_bit_is_refused_with_one_answer_and_moves_no_counter(form: Form) -> None:
    """A6: security control, counter, title, ciphertext, tag."""
    pair = associated(Case(form=form))
    genuine = sealed(pair, READ, counter=50, form=form)
    before = pair.server_received.last
    # Two octets of tag and length stand before the title or the body; a message of another tag is another message.
    for bit in range(16, len(genuine) * 8):
        forged = bytearray(genuine)
        forged[bit // 8] ^= 1 << bit % 8
        answers = pair.server.receive(bytes(forged))
        assert answers == [REFUSED] or form is Form.GENERAL_GLO
        assert len(answers) == 1
        assert pair.server_received.last == before
    assert len(pair.device.incidents) >= (len(genuine) - 12) * 8
    (answer,) = pair.server.receive(genuine)
    assert answer != REFUSED
    assert pair.server_received.last == 50


@pytest.mark.attack("A6")
@pytest.mark.parametrize("kept", range(12))
def test_a_truncated_tag_is_no_tag(kept: int) -> None:
    """A6: the length says what is there, and it is too little."""
    pair = associated()
    body = sealed(pair, READ, counter=50)[2:]
    cut = body[: len(body) - 12 + kept]
    before = pair.server_received.last
    assert pair.server.receive(bytes((0xC8, len(cut))) + cut) == [REFUSED]
    assert pair.server_received.last == before
    still_works(pair)


@pytest.mark.attack("A7")
@pytest.mark.parametrize("counter", [10_000, 0xFFFF_FFF0, 0xFFFF_FFFF])
def test_a_forged_message_with_a_huge_counter_poisons_nothing(counter: int) -> None:
    """A7, at both ends: the genuine message after it passes."""
    pair = associated()
    forged = bytearray(sealed(pair, READ, counter=counter, salt=7))
    assert pair.server.receive(bytes(forged)) == [REFUSED]
    assert pair.device.incidents == [SecurityIncident.BAD_TAG]
    answer = sealed(pair, b"\xc4\x01\xc1\x00\x06\x00\x00\x00\x01", counter=counter, title=SERVER_TITLE, salt=7)
    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.read(ENERGY), exchange=lambda _: answer)
    assert refused.value.code == "bad_tag"
    still_works(pair)


@pytest.mark.attack("A9")
def test_a_genuine_message_that_jumps_too_far_is_held() -> None:
    """A9: somebody told the client a counter near the end."""
    pair = associated()
    last = pair.server_received.last
    assert last is not None
    assert pair.server.receive(sealed(pair, READ, counter=last + MAX_FORWARD_JUMP + 1)) == [REFUSED]
    assert (pair.server_received.last, pair.device.incidents) == (last, [SecurityIncident.REPLAY])
    (answer,) = pair.server.receive(sealed(pair, READ, counter=last + MAX_FORWARD_JUMP))
    assert answer != REFUSED


@pytest.mark.attack("A10")
def test_keys_of_another_meter_open_nothing() -> None:
    """A10."""
    pair = Pair(salt=5)
    with pytest.raises(AssociationRefusedError):
        pair.associate()
    assert pair.device.incidents == [SecurityIncident.BAD_TAG]
    assert pair.server_received.last is None


def altered(pair: Pair, **changes: object) -> Callable[[bytes], bytes]:
    """A link on which somebody changes fields of the AARE."""

    def exchange(octets: bytes) -> bytes:
        answer = pair.exchange(octets)
        response = messages.decode(answer)
        if not isinstance(response, AssociationResponse):
            return answer
        fields = {k: v(octets) if callable(v) else v for k, v in changes.items()}
        return messages.encode(replace(response, **fields))  # type: ignore[arg-type]  # fields by name

    return exchange


def own_challenge(octets: bytes) -> bytes | None:
    request = messages.decode(octets)
    assert isinstance(request, AssociationRequest)
    return request.calling_authentication


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"responding_authentication": own_challenge}, "reflected", id="A8-reflected-challenge"),
        pytest.param({"responding_authentication": b""}, "bad_challenge", id="A8-empty-challenge"),
        pytest.param({"responding_authentication": bytes(7)}, "bad_challenge", id="A8-short-challenge"),
        pytest.param({"mechanism": Mechanism.LOW}, "downgrade", id="A5-mechanism"),
        pytest.param({"context": ApplicationContext.LOGICAL_NAMES}, "downgrade", id="A5-context"),
        pytest.param({"responding_title": b"OAMOTHER"}, "wrong_title", id="A6-title"),
        pytest.param({"responding_title": CLIENT_TITLE}, "wrong_title", id="A8-our-own-title"),
        pytest.param({"user_information": b"\x08\x00\x06\x5f\x1f\x04\x00\x00\x7e\x1f\x04\xb0\x00\x07"}, "plaintext",
                     id="A5-plain-initiate"),
    ],
)  # fmt: skip
def test_a_twisted_answer_to_the_association_is_refused(changes: dict[str, object], code: str) -> None:
    for expected in (SERVER_TITLE, None):
        pair = Pair(Case(expected_title=expected))
        with pytest.raises(PeerError) as refused:
            pair.run(pair.association.associate(challenge=pair.dice(16)), exchange=altered(pair, **changes))
        # A title that nobody expected opens nothing either: the tag covers it.
        assert refused.value.code == code or (code == "wrong_title" and refused.value.code == "bad_tag")
        assert pair.association.state is ClientState.IDLE


@pytest.mark.attack("A8")
def test_our_own_proof_sent_back_proves_nobody() -> None:
    """A8: a server without keys reflects what it was sent."""
    pair = Pair(Case(control=0, form=Form.PLAIN))

    def reflect(octets: bytes) -> bytes:
        request = messages.decode(octets)
        if isinstance(request, AssociationRequest):
            return pair.exchange(octets)
        assert isinstance(request, ActionRequest)
        assert request.method == REPLY_TO_HLS
        assert request.parameter is not None
        proof = request.parameter.octets or b""
        return b"\xc7\x01" + bytes((request.invoke,)) + b"\x00\x01\x00\x09" + bytes((len(proof),)) + proof

    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.associate(challenge=pair.dice(16)), exchange=reflect)
    assert refused.value.code == "bad_answer"
    assert pair.association.state is ClientState.IDLE


@pytest.mark.attack("A8")
@pytest.mark.parametrize("challenge", [None, b"", bytes(15), bytes(65)], ids=["none", "empty", "short", "long"])
def test_we_never_send_a_challenge_that_could_come_again(challenge: bytes | None) -> None:
    """A8."""
    pair = Pair()
    with pytest.raises(UsageError):
        pair.run(pair.association.associate(challenge=challenge))
    assert pair.sent == []


@pytest.mark.attack("A8")
@pytest.mark.parametrize("challenge", [b"", bytes(7), bytes(65)], ids=["A8-empty", "A8-short", "A8-long"])
def test_a_client_with_a_bad_challenge_is_refused(challenge: bytes) -> None:
    pair = Pair()
    sealed_initiate = sealed(pair, messages.encode(InitiateRequest(ALL_SERVICES, 1024)), counter=1)
    request = AssociationRequest(
        ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.HIGH_GMAC, CLIENT_TITLE, challenge, sealed_initiate
    )
    pair.server.receive(messages.encode(request))
    assert pair.server.state is ServerState.IDLE
    assert pair.device.incidents == [SecurityIncident.FAILED_AUTHENTICATION]


@pytest.mark.attack("A8")
def test_nothing_is_served_before_the_proof_and_a_wrong_proof_ends_it() -> None:
    """A8."""
    pair = Pair(Case(control=0, form=Form.PLAIN))
    (aare,) = pair.server.receive(_aarq(pair))
    assert pair.server.state is ServerState.PENDING
    (answer,) = pair.server.receive(READ)
    assert isinstance(messages.decode(answer), ExceptionResponse)
    wrong = ActionRequest(0xC1, REPLY_TO_HLS, octet_string(bytes(17)))
    pair.server.receive(messages.encode(wrong))
    assert (pair.server.state, pair.device.incidents) == (ServerState.IDLE, [SecurityIncident.FAILED_AUTHENTICATION])
    assert aare


def _aarq(pair: Pair) -> bytes:
    steps = pair.association.associate(challenge=pair.dice(16))
    step = next(steps)
    steps.close()
    return step.octets  # type: ignore[union-attr]  # the first step of a plain association is the exchange


def test_a_dedicated_key_that_everybody_could_read_is_refused() -> None:
    pair = Pair(Case(control=0x10))
    plain = messages.encode(InitiateRequest(ALL_SERVICES, 1024, bytes(16)))
    request = AssociationRequest(
        ApplicationContext.LOGICAL_NAMES_CIPHERED,
        Mechanism.HIGH_GMAC,
        CLIENT_TITLE,
        pair.dice(16),
        sealed(pair, plain, counter=1),
    )
    pair.server.receive(messages.encode(request))
    assert pair.server.state is ServerState.IDLE


@pytest.mark.attack("A8")
def test_a_signature_of_somebody_else_is_refused() -> None:
    """A10, with suite 1: the global keys are right, the signing key is not."""
    pair = associated(Case(Mechanism.HIGH_ECDSA, 0x31, Form.SIGNED))
    other = Protection(
        own_title=CLIENT_TITLE,
        keys=replace(pair.client_keys, signing=bytes((77,)) * 32),
        control=0x31,
        send=CountUp(60),
        received=RisingCounter(),
        transaction=lambda: b"12345678",
    )
    before = pair.server_received.last
    forged = other.seal(READ, Form.SIGNED, peer_title=SERVER_TITLE)
    assert pair.server.receive(forged) == [REFUSED]
    assert (pair.device.incidents, pair.server_received.last) == ([SecurityIncident.BAD_TAG], before)
    still_works(pair)


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    ("limits", "octets", "code"),
    [
        pytest.param({"max_value_octets": 10_000}, 100, "too_long", id="A21-octets"),
        pytest.param({"max_blocks": 50}, 1, "too_long", id="A21-blocks"),
        pytest.param({}, 0, "bad_block", id="A21-empty-blocks"),
    ],
)
def test_a_server_that_sends_endless_blocks_is_left(limits: dict[str, int], octets: int, code: str) -> None:
    pair = Pair(Case(Mechanism.NONE, 0, Form.PLAIN, client_max_pdu=128))
    pair.association = ClientAssociation(replace(pair.settings, **limits))  # type: ignore[arg-type]  # fields by name
    pair.run(pair.association.associate())
    number = iter(range(1, 1_000))

    def endless(request: bytes) -> bytes:
        block = next(number).to_bytes(4)
        return b"\xc4\x02" + request[2:3] + b"\x00" + block + b"\x00" + bytes((octets,)) + bytes(octets)

    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.read(PROFILE), exchange=endless)
    assert refused.value.code == code


def test_a_server_that_proves_nothing_is_left() -> None:
    """A8: the answer is no echo of ours, and no proof either."""
    pair = Pair(Case(control=0, form=Form.PLAIN))

    def invent(octets: bytes) -> bytes:
        if octets[0] == 0x60:
            return pair.exchange(octets)
        return b"\xc7\x01" + octets[2:3] + b"\x00\x01\x00\x09\x11\x10" + bytes(16)

    with pytest.raises(PeerError) as refused:
        pair.run(pair.association.associate(challenge=pair.dice(16)), exchange=invent)
    assert (refused.value.code, pair.association.state) == ("bad_answer", ClientState.IDLE)


@pytest.mark.attack("A6")
def test_another_device_under_the_same_keys_is_not_this_one() -> None:
    """A6, A10: everything verifies, and the title is not the association's."""
    pair = associated(Case(form=Form.GENERAL_GLO))
    before = pair.server_received.last
    forged = sealed(pair, READ, counter=50, form=Form.GENERAL_GLO, title=b"OAMOTHER")
    assert pair.server.receive(forged) == [REFUSED]
    assert (pair.device.incidents, pair.server_received.last) == ([SecurityIncident.BAD_TAG], before)
    still_works(pair)


@pytest.mark.attack("A5")
def test_a_message_under_the_tag_of_another_service_is_refused() -> None:
    """A6: the tag of the service stands outside what is sealed."""
    pair = associated()
    read = sealed(pair, READ, counter=pair.client_send.take())
    (answer,) = pair.server.receive(b"\xc9" + read[1:])
    assert isinstance(messages.decode(answer), ExceptionResponse)
    assert pair.device.values[SCRATCH] == u32(0)
    still_works(pair)


@pytest.mark.attack("A5")
def test_encryption_alone_is_no_protection_unless_it_was_agreed_on() -> None:
    """A5: also where the profile asks for nothing."""
    pair = Pair()
    pair.device.profiles[pair.case.client] = replace(pair.device.profiles[pair.case.client], control=0)
    pair.associate()
    assert pair.server.receive(sealed(pair, READ, counter=50, control=0x20)) == [REFUSED]
    assert pair.device.incidents == [SecurityIncident.DOWNGRADE]
    still_works(pair)


@pytest.mark.parametrize("title", [SERVER_TITLE, None, b"OAMSHORT"[:7]], ids=["A8-ours", "A6-none", "A6-short"])
def test_a_client_without_a_title_of_its_own_is_refused(title: bytes | None) -> None:
    pair = Pair()
    plain = messages.encode(InitiateRequest(ALL_SERVICES, 1024))
    user = sealed(pair, plain, counter=1, title=SERVER_TITLE if title == SERVER_TITLE else CLIENT_TITLE)
    request = AssociationRequest(
        ApplicationContext.LOGICAL_NAMES_CIPHERED, Mechanism.HIGH_GMAC, title, pair.dice(16), user
    )
    try:
        octets = messages.encode(request)
    except UsageError:
        # We cannot even say it; nor can anybody who uses us.
        return
    pair.server.receive(octets)
    assert pair.server.state is ServerState.IDLE
    assert pair.device.incidents == [SecurityIncident.FAILED_AUTHENTICATION]


@pytest.mark.attack("A2")
def test_an_answer_to_another_request_is_refused() -> None:
    """A2."""
    pair = Pair(Case(Mechanism.NONE, 0, Form.PLAIN))
    pair.run(pair.association.associate())
    for answer in (b"\xc4\x01\xcf\x00\x11\x05", b"\xda\x00\x00\x00\x00\x00\x00\x00\x00"):
        with pytest.raises(PeerError) as refused:
            pair.run(pair.association.read(ENERGY), exchange=lambda _, a=answer: a)  # type: ignore[misc]  # bound here
        assert refused.value.code in {"wrong_invoke", "cut"}


@pytest.mark.attack("A34")
def test_keys_are_never_shown() -> None:
    """A34."""
    pair = associated(Case(Mechanism.HIGH_ECDSA, 0x31))
    shown = repr((pair.client_keys, pair.settings, pair.security, pair.protection, pair.device.profiles))
    for secret in (pair.client_keys.encryption, pair.client_keys.authentication, pair.client_keys.signing or b""):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    assert "made-up password" not in shown
