"""A client and a server over a link that loses, repeats, delays, cuts and alters: a right value or a declared error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pair.protocol.parties import ECHO, ENERGY, PROFILE, ROWS, SCRATCH, Case, Pair

from openami.kernel.errors import OpenAmiError
from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.errors import AssociationRefusedError, ServiceRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.association.server import ServerState
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, octet_string, u32
from openami.protocol.errors import PeerError


class LinkTimeoutError(OpenAmiError):
    """Nothing came in time."""


@dataclass(frozen=True)
class Fate:
    """What happens to one exchange."""

    kind: str
    where: int = 0


FATES = st.one_of(
    st.sampled_from(["pass", "pass", "lose_request", "lose_answer", "repeat_request", "old_answer"]).map(Fate),
    st.builds(
        Fate, st.sampled_from(["cut_request", "cut_answer", "flip_request", "flip_answer"]), st.integers(0, 5000)
    ),
)


def cut(octets: bytes, where: int) -> bytes:
    return octets[: where % len(octets)]


def flip(octets: bytes, where: int) -> bytes:
    altered = bytearray(octets)
    bit = where % (8 * len(octets))
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


class HostileLink:
    """Does to each exchange what fate says; afterwards the link is perfect."""

    def __init__(self, pair: Pair, fates: list[Fate]) -> None:
        self._pair = pair
        self._fates = iter(fates)
        self._old = b"\xd8\x01\x03"

    def __call__(self, octets: bytes) -> bytes:
        fate = next(self._fates, Fate("pass"))
        if fate.kind == "lose_request":
            raise LinkTimeoutError
        if fate.kind == "cut_request":
            octets = cut(octets, fate.where)
        if fate.kind == "flip_request":
            octets = flip(octets, fate.where)
        answers = self._pair.server.receive(octets)
        if fate.kind == "repeat_request":
            answers = self._pair.server.receive(octets) or answers
        if fate.kind == "lose_answer" or not answers:
            raise LinkTimeoutError
        answer, old = answers[0], self._old
        self._old = answer
        if fate.kind == "old_answer":
            return old
        if fate.kind == "cut_answer":
            return cut(answer, fate.where)
        return flip(answer, fate.where) if fate.kind == "flip_answer" else answer


DECLARED = (PeerError, AssociationRefusedError, ServiceRefusedError, LinkTimeoutError)
BLOCKS = Conformance.GET | Conformance.SET | Conformance.ACTION | Conformance.GENERAL_BLOCK_TRANSFER
CASES = [
    pytest.param(Case(client_max_pdu=512, server_max_pdu=512), id="glo"),
    pytest.param(Case(form=Form.DED, client_max_pdu=512, server_max_pdu=512), id="ded"),
    pytest.param(Case(form=Form.GENERAL, control=0x31, client_max_pdu=900, server_max_pdu=900), id="general"),
    pytest.param(Case(conformance=BLOCKS, client_max_pdu=512, server_max_pdu=512), id="general-blocks"),
    pytest.param(Case(Mechanism.HIGH_ECDSA, 0x31, client_max_pdu=512, server_max_pdu=512), id="ecdsa"),
]
LONG = octet_string(bytes(range(256)) * 6)


def attempts(pair: Pair, link: Callable[[bytes], bytes]) -> None:
    """Try everything; what comes is right or declared."""
    association = pair.association
    try:
        pair.run(association.associate(challenge=pair.dice(16)), exchange=link)
    except DECLARED:
        return
    operations: list[tuple[Steps[Data | None] | Steps[Data], Data]] = [
        (association.read(ENERGY), u32(123_456)),
        (association.read(PROFILE), ROWS),
        (association.call(ECHO, LONG), LONG),
    ]
    for steps, wanted in operations:
        try:
            assert pair.run(steps, exchange=link) == wanted
        except DECLARED:
            continue
    for value in (u32(1), LONG):
        try:
            pair.run(association.write(SCRATCH, value), exchange=link)
        except (*DECLARED, AccessRefusedError):
            continue
        assert pair.device.values[SCRATCH] == value


@pytest.mark.attack("A6")
@settings(max_examples=40, deadline=None)
@given(fates=st.lists(FATES, max_size=25))
@pytest.mark.parametrize("case", CASES)
def test_what_comes_through_a_hostile_link_is_right_or_declared(case: Case, fates: list[Fate]) -> None:
    pair = Pair(case)
    attempts(pair, HostileLink(pair, fates))
    assert pair.device.values[SCRATCH] in {u32(0), u32(1), LONG}
    assert all(call == (ECHO, LONG) for call in pair.device.calls)
    # The server has survived, and a fresh association on a good link works.
    pair.association = ClientAssociation(pair.settings)
    if case.form is Form.DED:
        pair.protection.use_dedicated(pair.protection.keys)
    pair.associate()
    assert pair.server.state is ServerState.ASSOCIATED
    assert pair.run(pair.association.read(PROFILE)) == ROWS


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=4), st.sampled_from(["idle", "pending", "associated"]), st.booleans())
def test_no_octets_make_the_server_fail_or_open(messages: list[bytes], state: str, is_plain: bool) -> None:
    pair = Pair(Case(control=0, form=Form.PLAIN) if is_plain else Case())
    if state == "associated":
        pair.associate()
    if state == "pending":
        steps = pair.association.associate(challenge=pair.dice(16))
        with pytest.raises(LinkTimeoutError):
            pair.run(steps, exchange=lambda o: pair.exchange(o) if o[0] == 0x60 else _lost())
    before = pair.server.state
    for octets in messages:
        assert all(pair.server.receive(octets))
        assert len(pair.server.receive(octets)) <= 1
    assert pair.server.state is not ServerState.ASSOCIATED or before is ServerState.ASSOCIATED
    assert pair.device.values[SCRATCH] == u32(0) or is_plain


def _lost() -> bytes:
    raise LinkTimeoutError


TAGS = [0x08, 0x0E, 0x28, 0x60, 0x61, 0x63, 0xC0, 0xC4, 0xC5, 0xC7, 0xCC, 0xCF, 0xD8, 0xDA, 0xDB, 0xDD, 0xDF, 0xE0]
ANSWERS = st.one_of(st.binary(max_size=60), st.builds(lambda t, b: bytes((t,)) + b, st.sampled_from(TAGS), st.binary()))


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.lists(ANSWERS, max_size=6), st.booleans())
def test_no_answers_make_the_client_fail_or_hang(answers: list[bytes], is_plain: bool) -> None:
    pair = Pair(Case(Mechanism.NONE, 0, Form.PLAIN) if is_plain else Case())
    pair.associate()
    fake = iter(answers)

    def exchange(octets: bytes) -> bytes:
        answer = next(fake, None)
        return answer if answer is not None else pair.exchange(octets)

    operations: list[Steps[Data | None] | Steps[Data]] = [
        pair.association.read(PROFILE),
        pair.association.call(ECHO, LONG),
    ]
    for steps in operations:
        with suppress(*DECLARED, AccessRefusedError, ActionRefusedError):
            pair.run(steps, exchange=exchange)
