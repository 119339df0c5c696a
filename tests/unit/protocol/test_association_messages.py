"""Association messages octet by octet: the standard's worked examples, and what other stacks send."""

from __future__ import annotations

import pytest

from openami.protocol import apdu
from openami.protocol.apdu.acse import (
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    ConfirmedServiceError,
    Conformance,
    Diagnostic,
    InitiateRequest,
    InitiateResponse,
    Mechanism,
    ReleaseReason,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.codec import Apdu
from openami.protocol.errors import PeerError, UsageError

LN = ApplicationContext.LOGICAL_NAMES
LN_CIPHERED = ApplicationContext.LOGICAL_NAMES_CIPHERED
CONTEXT = "a109 0607 60857405080101"
PROPOSED = bytes.fromhex("01000000065f1f0400007e1f04b0")
AGREED = bytes.fromhex("0800065f1f040000501f01f40007")
PROPOSAL = "be10 040e 01000000065f1f0400007e1f04b0"
AGREEMENT = "be10 040e 0800065f1f040000501f01f40007"
TITLE = bytes.fromhex("4d4d4d0000bc614e")
ERROR = bytes.fromhex("0e010601")

EXAMPLES: list[tuple[str, str, Apdu]] = [
    (
        "AARQ without security",
        f"601d {CONTEXT} {PROPOSAL}",
        AssociationRequest(LN, Mechanism.NONE, None, None, PROPOSED),
    ),
    (
        "AARQ with a password",
        f"6036 {CONTEXT} 8a020780 8b07 60857405080201 ac0a 8008 3132333435363738 {PROPOSAL}",
        AssociationRequest(LN, Mechanism.LOW, None, b"12345678", PROPOSED),
    ),
    (
        "AARQ with a challenge and a title",
        (
            "6042 a109 0607 60857405080103 a60a 0408 4d4d4d0000bc614e 8a020780 8b07 60857405080205 "
            f"ac0a 8008 4b35366956616759 {PROPOSAL}"
        ),
        AssociationRequest(LN_CIPHERED, Mechanism.HIGH_GMAC, TITLE, b"K56iVagY", PROPOSED),
    ),
    (
        "AARE accepted",
        f"6129 {CONTEXT} a203 020100 a305 a103 020100 {AGREEMENT}",
        AssociationResponse(LN, AssociationResult.ACCEPTED, Diagnostic.NULL, False, None, None, None, AGREED),
    ),
    (
        "AARE with a challenge",
        (
            f"6142 {CONTEXT} a203 020100 a305 a103 02010e 88020780 8907 60857405080205 "
            f"aa0a 8008 503677524a323146 {AGREEMENT}"
        ),
        AssociationResponse(
            LN,
            AssociationResult.ACCEPTED,
            Diagnostic.AUTHENTICATION_REQUIRED,
            False,
            None,
            Mechanism.HIGH_GMAC,
            b"P6wRJ21F",
            AGREED,
        ),
    ),
    (
        "AARE rejected, context not supported, with a service error",
        f"611f {CONTEXT} a203 020101 a305 a103 020102 be06 0404 0e010601",
        AssociationResponse(
            LN,
            AssociationResult.REJECTED_PERMANENT,
            Diagnostic.CONTEXT_NOT_SUPPORTED,
            False,
            None,
            None,
            None,
            ERROR,
        ),
    ),
    (
        "AARE rejected by the provider",
        f"6117 {CONTEXT} a203 020101 a305 a203 020102",
        AssociationResponse(LN, AssociationResult.REJECTED_PERMANENT, 2, True, None, None, None, None),
    ),
    ("RLRQ", "6203 800100", ReleaseRequest()),
    ("RLRQ without anything", "6200", ReleaseRequest(None)),
    ("RLRE", "6303 800100", ReleaseResponse()),
    ("RLRE user defined", "6303 80011e", ReleaseResponse(ReleaseReason.USER_DEFINED)),
    ("initiate request", PROPOSED.hex(), InitiateRequest(Conformance(0x007E1F), 1200)),
    (
        "initiate request with a dedicated key",
        "01 01 10 00112233445566778899aabbccddeeff 00 00 06 5f1f0400 007e1f 04b0",
        InitiateRequest(Conformance(0x007E1F), 1200, bytes.fromhex("00112233445566778899aabbccddeeff")),
    ),
    (
        "initiate request that wants no response, with a quality of service",
        "01 00 01 00 01 05 06 5f1f0400 000010 0000",
        InitiateRequest(Conformance.GET, 0, None, False, 5),
    ),
    ("initiate response", AGREED.hex(), InitiateResponse(Conformance(0x00501F), 500)),
    ("confirmed service error", "0e010601", ConfirmedServiceError(1, 6, 1)),
]


@pytest.mark.parametrize(("octets", "message"), [pytest.param(o, m, id=n) for n, o, m in EXAMPLES])
def test_the_worked_example_reads_and_writes(octets: str, message: Apdu) -> None:
    assert apdu.decode(bytes.fromhex(octets)) == message
    assert apdu.encode(message).hex() == octets.replace(" ", "")


VARIANTS = [
    ("a long-form length", f"60811d {CONTEXT} {PROPOSAL}"),
    ("a longer form than needed", f"6083 00001f {CONTEXT} be820010 040e 01000000065f1f0400007e1f04b0"),
    ("the protocol version", f"6021 80020780 {CONTEXT} {PROPOSAL}"),
    ("another protocol version", f"6021 80020284 {CONTEXT} {PROPOSAL}"),
    ("ACSE requirements without a mechanism", f"6021 {CONTEXT} 8a020700 {PROPOSAL}"),
    ("a called title and ids", f"6031 {CONTEXT} a203 040141 a403020101 a803020101 a903020111 {PROPOSAL}"),
    ("implementation information", f"6022 {CONTEXT} bd03 040141 {PROPOSAL}"),
    ("another order", f"601d {PROPOSAL} {CONTEXT}"),
    ("the lowest mechanism by name", f"6026 {CONTEXT} 8b07 60857405080200 {PROPOSAL}"),
]


@pytest.mark.parametrize("octets", [pytest.param(o, id=n) for n, o in VARIANTS])
def test_an_aarq_of_another_stack_reads_as_the_plain_one(octets: str) -> None:
    assert apdu.decode(bytes.fromhex(octets)) == AssociationRequest(LN, Mechanism.NONE, None, None, PROPOSED)


# What gurux-dlms 1.0.203 and dlms-cosem 25.1.0 send, as they sent it.
SENT_BY_OTHERS: list[tuple[str, str, Apdu]] = [
    (
        "gurux, a password and a user id",
        (
            "603ba109060760857405080101a9030201058a0207808b0760857405080201ac0a80083132333435363738"
            "be10040e01000000065f1f0400401e5dffff"
        ),
        AssociationRequest(LN, Mechanism.LOW, None, b"12345678", bytes.fromhex("01000000065f1f0400401e5dffff")),
    ),
    (
        "gurux, GMAC with a sealed initiate",
        (
            "605da109060760857405080103a60a040841424344454647488a0207808b0760857405080205ac128010"
            "b9114f22148eab56577bbff33a0bf09dbe230421211f3000000001f55ff1e4bccf02ef80df0f28639bfa5fd5fd221fef7042b6ac4f"
        ),
        AssociationRequest(
            LN_CIPHERED,
            Mechanism.HIGH_GMAC,
            b"ABCDEFGH",
            bytes.fromhex("b9114f22148eab56577bbff33a0bf09d"),
            bytes.fromhex("211f3000000001f55ff1e4bccf02ef80df0f28639bfa5fd5fd221fef7042b6ac4f"),
        ),
    ),
    (
        "dlms-cosem, a release with an initiate",
        "6215800100be10040e01000000065f1f0400000019ffff",
        ReleaseRequest(ReleaseReason.NORMAL, bytes.fromhex("01000000065f1f0400000019ffff")),
    ),
]


@pytest.mark.parametrize(("octets", "message"), [pytest.param(o, m, id=n) for n, o, m in SENT_BY_OTHERS])
def test_what_another_stack_sends_reads(octets: str, message: Apdu) -> None:
    assert apdu.decode(bytes.fromhex(octets)) == message


def test_a_password_without_a_mechanism_asks_for_no_authentication() -> None:
    octets = bytes.fromhex(f"6029 {CONTEXT} ac0a 8008 3132333435363738 {PROPOSAL}")
    request = AssociationRequest(LN, Mechanism.NONE, None, b"12345678", PROPOSED)
    assert apdu.decode(octets) == request
    assert apdu.encode(request) == octets


def test_a_conformance_block_with_a_short_tag_reads() -> None:
    short = bytes.fromhex("01000000065f0400007e1f04b0")
    assert apdu.decode(short) == InitiateRequest(Conformance(0x007E1F), 1200)


REFUSED = [
    ("a title twice", f"6035 {CONTEXT} a60a 0408 4d4d4d0000bc614e a60a 0408 4d4d4d0000bc614f {PROPOSAL}", "repeated"),
    ("no context", f"6012 {PROPOSAL}", "missing"),
    ("no user information", f"600b {CONTEXT}", "missing"),
    ("a context of no known number", f"601d a109 0607 60857405080109 {PROPOSAL}", "unknown_context"),
    ("a context of other arcs", f"601d a109 0607 60857405080201 {PROPOSAL}", "unknown_context"),
    ("a mechanism of no known number", f"6026 {CONTEXT} 8b07 60857405080209 {PROPOSAL}", "unknown_mechanism"),
    ("an indefinite length", f"6080 {CONTEXT} {PROPOSAL} 0000", "bad_length"),
    ("an inner length past the end", f"600d {CONTEXT} be10", "cut"),
    ("octets after the message", f"601d {CONTEXT} {PROPOSAL} 00", "trailing"),
    ("octets after the title", f"602a {CONTEXT} a60b 0408 4d4d4d0000bc614e 00 {PROPOSAL}", "trailing"),
    ("a title that is no octet string", f"6029 {CONTEXT} a60a 0208 4d4d4d0000bc614e {PROPOSAL}", "bad_element"),
    ("AARE of unknown result", f"6117 {CONTEXT} a203 020107 a305 a103 020100", "bad_element"),
    ("AARE without a result", f"6112 {CONTEXT} a305 a103 020100", "missing"),
    ("AARE without a diagnostic", f"6110 {CONTEXT} a203 020100", "missing"),
    ("AARE with an empty diagnostic", f"6116 {CONTEXT} a203 020100 a304 a102 0200", "bad_element"),
    ("a conformance of other size", "01000000065f1f0300007e04b0", "bad_conformance"),
    ("a presence flag that is none", "01020000065f1f0400007e1f04b0", "bad_flag"),
]


@pytest.mark.parametrize(("octets", "code"), [pytest.param(o, c, id=n) for n, o, c in REFUSED])
def test_a_malformed_association_message_is_refused(octets: str, code: str) -> None:
    with pytest.raises(PeerError) as refused:
        apdu.decode(bytes.fromhex(octets))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "message",
    [
        AssociationResponse(LN, AssociationResult.ACCEPTED, 300, False, None, None, None, None),
        ReleaseRequest(200),
        InitiateRequest(Conformance.GET, 70_000),
        InitiateResponse(Conformance.GET, 1, -1),
        ConfirmedServiceError(1, 300, 0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_cannot_be_said_is_our_misuse(message: Apdu) -> None:
    with pytest.raises(UsageError):
        apdu.encode(message)


@pytest.mark.attack("A34")
def test_secrets_are_not_shown() -> None:
    shown = repr(AssociationRequest(LN, Mechanism.LOW, None, b"12345678", PROPOSED))
    shown += repr(InitiateRequest(Conformance.GET, 0, b"dedicated"))
    assert "12345678" not in shown
    assert "dedicated'" not in shown
