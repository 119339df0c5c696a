"""A client and a server that never met understand each other, in every form of protection."""

from __future__ import annotations

import pytest
from tests.pair.protocol.parties import (
    COUNTER,
    DENIED,
    ECHO,
    ENERGY,
    PROFILE,
    PUBLIC,
    ROWS,
    SCRATCH,
    SECRET,
    Case,
    Pair,
)

from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.apdu.services import AccessItem, AccessKind
from openami.protocol.association.client import ALL_SERVICES, ClientState, fetch_invocation_counter
from openami.protocol.association.drive import drive
from openami.protocol.association.form import Form
from openami.protocol.association.general import GeneralStyle, KeyChoice
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.association.server import ServerState
from openami.protocol.axdr import null, octet_string, u32
from openami.protocol.cosem.reference import AttributeRef, DataAccessResult, EntrySelection

NO_HEADER = GeneralStyle(tag_covers_header=False)
WITH_LENGTH = GeneralStyle(signature_covers_length=True)
ONCE = GeneralStyle(key=KeyChoice.SINGLE_EPHEMERAL)
STATIC = GeneralStyle(key=KeyChoice.STATIC_UNIFIED)
CASES = [
    pytest.param(Case(Mechanism.NONE, 0, Form.PLAIN), id="nothing"),
    pytest.param(Case(Mechanism.LOW, 0, Form.PLAIN), id="low"),
    pytest.param(Case(Mechanism.LOW, 0x30, Form.GLO), id="low-ciphered"),
    pytest.param(Case(Mechanism.HIGH_GMAC, 0, Form.PLAIN), id="gmac-plain"),
    *(
        pytest.param(
            Case(mechanism, protection | suite, form), id=f"{mechanism.name}-0x{protection | suite:02x}-{form}"
        )
        for suite, mechanism in (
            (0, Mechanism.HIGH_GMAC),
            (1, Mechanism.HIGH_GMAC),
            (1, Mechanism.HIGH_ECDSA),
            (2, Mechanism.HIGH_ECDSA),
            (1, Mechanism.HIGH_SHA256),
        )
        for protection in (0x10, 0x20, 0x30)
        for form in (Form.GLO, Form.GENERAL_GLO)
    ),
    *(
        pytest.param(Case(Mechanism.HIGH_GMAC, 0x30 | suite, form), id=f"suite-{suite}-{form}")
        for suite in (0, 1, 2)
        for form in (Form.DED, Form.GENERAL_DED, Form.GENERAL)
    ),
    *(pytest.param(Case(Mechanism.HIGH_ECDSA, 0x30 | s, Form.SIGNED), id=f"signed-{s}") for s in (1, 2)),
    pytest.param(Case(Mechanism.HIGH_GMAC, 0x30, Form.GENERAL, style=NO_HEADER), id="general-without-header"),
    pytest.param(Case(Mechanism.HIGH_GMAC, 0x31, Form.SIGNED, style=WITH_LENGTH), id="signed-with-length"),
    pytest.param(Case(Mechanism.HIGH_ECDSA, 0x31, Form.GENERAL, style=ONCE), id="one-pass"),
    pytest.param(Case(Mechanism.HIGH_ECDSA, 0x32, Form.GENERAL, style=STATIC), id="static-unified"),
]


@pytest.mark.parametrize("case", CASES)
def test_everything_is_read_written_and_called(case: Case) -> None:
    pair = Pair(case)
    pair.associate()
    assert (pair.association.state, pair.server.state) == (ClientState.ASSOCIATED, ServerState.ASSOCIATED)
    assert pair.run(pair.association.read(ENERGY)) == u32(123_456)
    assert pair.run(pair.association.read(PROFILE)) == ROWS
    assert pair.run(pair.association.read(PROFILE, EntrySelection(3, 5))).elements == ROWS.elements[2:5]
    pair.run(pair.association.write(SCRATCH, u32(77)))
    results = pair.run(pair.association.read_many([(SCRATCH, None), (SECRET, None), (ENERGY, None), (PROFILE, None)]))
    assert results == (u32(77), DataAccessResult.READ_WRITE_DENIED, u32(123_456), ROWS)
    long = octet_string(bytes(range(256)) * 12)
    pair.run(pair.association.write(SCRATCH, long))
    assert pair.device.values[SCRATCH] == long
    assert pair.run(pair.association.call(ECHO, long)) == long
    assert pair.run(pair.association.call(ECHO)) is None
    assert pair.run(pair.association.write_many([(SCRATCH, u32(1)), (ENERGY, u32(0)), (SCRATCH, u32(2))])) == (
        DataAccessResult.SUCCESS,
        DataAccessResult.READ_WRITE_DENIED,
        DataAccessResult.SUCCESS,
    )
    pair.run(pair.association.release())
    assert (pair.association.state, pair.server.state) == (ClientState.IDLE, ServerState.IDLE)
    assert pair.device.incidents == []
    longest = max(len(a) for a in pair.answers)
    assert longest <= case.client_max_pdu
    assert max(len(s) for s in pair.sent) <= case.server_max_pdu


@pytest.mark.parametrize("case", [Case(Mechanism.NONE, 0, Form.PLAIN), Case()], ids=["plain", "ciphered"])
def test_access_reads_writes_and_calls_in_one_message(case: Case) -> None:
    pair = Pair(case)
    pair.associate()
    items = (
        AccessItem(AccessKind.GET, ENERGY, None, null()),
        AccessItem(AccessKind.SET, SCRATCH, None, u32(5)),
        AccessItem(AccessKind.ACTION, ECHO, None, u32(6)),
        AccessItem(AccessKind.GET, SECRET, None, null()),
        AccessItem(AccessKind.ACTION, DENIED, None, null()),
    )
    outcomes = pair.run(pair.association.access(items))
    assert [(o.result.name, o.value) for o in outcomes] == [
        ("SUCCESS", u32(123_456)),
        ("SUCCESS", null()),
        ("SUCCESS", u32(6)),
        ("READ_WRITE_DENIED", null()),
        ("READ_WRITE_DENIED", null()),
    ]
    assert pair.device.values[SCRATCH] == u32(5)
    # An answer that no service block carries goes in general blocks.
    (outcome,) = pair.run(pair.association.access([AccessItem(AccessKind.GET, PROFILE, None, null())]))
    assert outcome.value == ROWS
    assert max(len(a) for a in pair.answers) <= case.client_max_pdu


def test_what_is_refused_is_told_apart_from_what_is_wrong() -> None:
    pair = Pair()
    pair.associate()
    with pytest.raises(AccessRefusedError) as read:
        pair.run(pair.association.read(SECRET))
    assert read.value.result is DataAccessResult.READ_WRITE_DENIED
    with pytest.raises(AccessRefusedError):
        pair.run(pair.association.write(ENERGY, u32(0)))
    with pytest.raises(ActionRefusedError):
        pair.run(pair.association.call(DENIED))
    assert pair.run(pair.association.read(ENERGY)) == u32(123_456)


GENERAL_BLOCKS_ONLY = Conformance.GET | Conformance.SET | Conformance.ACTION | Conformance.GENERAL_BLOCK_TRANSFER


@pytest.mark.parametrize("size", [128, 200, 1024, 0xFFFF])
@pytest.mark.parametrize("conformance", [ALL_SERVICES, GENERAL_BLOCKS_ONLY], ids=["service-blocks", "general-blocks"])
def test_long_values_pass_in_blocks_of_any_size(size: int, conformance: Conformance) -> None:
    pair = Pair(Case(client_max_pdu=size, server_max_pdu=size, conformance=conformance))
    pair.associate()
    assert pair.run(pair.association.read(PROFILE)) == ROWS
    long = octet_string(bytes(range(256)) * 12)
    pair.run(pair.association.write(SCRATCH, long))
    assert pair.device.values[SCRATCH] == long
    assert pair.run(pair.association.call(ECHO, long)) == long
    assert max(len(m) for m in pair.answers + pair.sent) <= size


def test_the_counter_is_read_through_the_public_client() -> None:
    pair = Pair()
    pair.server = pair.new_server(PUBLIC)
    assert drive(fetch_invocation_counter(COUNTER), protection=None, exchange=pair.exchange) == 41
    assert pair.server.state is ServerState.IDLE


def test_a_first_counter_of_zero_is_a_first_message_all_the_same() -> None:
    pair = Pair()
    pair.associate()
    # The server's counter began at 0 and was accepted.
    assert pair.client_received.last is not None
    assert AttributeRef(1, COUNTER, 2) in pair.device.values


@pytest.mark.parametrize("case", [Case(Mechanism.NONE, 0, Form.PLAIN, client_max_pdu=128, server_max_pdu=128),
                                  Case(client_max_pdu=128, server_max_pdu=128)], ids=["plain", "ciphered"])  # fmt: skip
def test_values_about_as_long_as_a_message_never_exceed_it(case: Case) -> None:
    pair = Pair(case)
    pair.associate()
    for size in range(40, 135):
        value = octet_string(bytes(size))
        pair.run(pair.association.write(SCRATCH, value))
        assert pair.run(pair.association.read(SCRATCH)) == value
        assert pair.run(pair.association.call(ECHO, value)) == value
    assert max(len(m) for m in pair.answers + pair.sent) <= 128
    # A short value still goes in one piece each way.
    before = len(pair.sent)
    pair.run(pair.association.write(SCRATCH, octet_string(bytes(40))))
    assert len(pair.sent) == before + 1
