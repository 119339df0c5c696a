"""Answers of meters in the intake: told from pushes, judged in the same window, and never a way round the rules."""

from __future__ import annotations

import pytest
from tests.unit.headend.test_intake import reasons, run

from openami.app.bench.pushes import PushFactory
from openami.contracts.deadletter import RefusalReason
from openami.headend.listening.intake import Intake
from openami.headend.listening.window import CounterWindows
from openami.protocol.apdu import general_glo
from openami.protocol.envelope import wrap
from openami.security.keys.table import KeyTable
from openami.security.suites.gcm import seal

GET_RESPONSE = bytes.fromhex("c401c10006000004d2")
INITIATE_RESPONSE = bytes.fromhex("0800065f1f0400007e1f04b00007")
CONTEXT, TAKEN = bytes.fromhex("a109060760857405080103"), bytes.fromhex("a203020100")
REJECTED = bytes.fromhex("a203020101")


@pytest.fixture
def factory() -> PushFactory:
    return PushFactory(meters=3)


@pytest.fixture
def intake(factory: PushFactory) -> Intake:
    table = KeyTable()
    table.merge(factory.key_columns())
    return Intake(table, CounterWindows(), zone="America/Chicago")


def sealed(factory: PushFactory, counter: int, plaintext: bytes, *, number: int = 0, control: int = 0x30) -> bytes:
    meter = factory.meters[number]
    return seal(meter.title, counter, plaintext, key=meter.key, auth_key=meter.auth_key, control=control)


def response(factory: PushFactory, counter: int, plaintext: bytes = GET_RESPONSE) -> bytes:
    return wrap(1, 2, general_glo(factory.meters[0].title, sealed(factory, counter, plaintext)))


def aare(*elements: bytes, inside: bytes = b"") -> bytes:
    body = b"".join(elements)
    if inside:
        body += bytes([0xBE, len(inside) + 2, 4, len(inside)]) + inside
    return wrap(1, 2, bytes([0x61, len(body)]) + body)


def associated(factory: PushFactory, counter: int, *, control: int = 0x30, number: int = 0) -> bytes:
    title = bytes.fromhex("a40a0408") + factory.meters[0].title
    body = sealed(factory, counter, INITIATE_RESPONSE, control=control, number=number)
    return aare(CONTEXT, TAKEN, title, inside=bytes([0x28, len(body)]) + body)


def test_an_answer_goes_to_who_waits_and_to_no_store(factory: PushFactory, intake: Intake) -> None:
    frame = response(factory, 5)
    outcome = run(intake, [factory.frame(0, frame), factory.frame(1, factory.profile_push(1, 1))])
    assert reasons(outcome) == []
    assert (len(outcome.readings), len(outcome.accepted), outcome.events) == (4 * 3, 2, [])
    [answer] = outcome.answers
    assert (answer.title, answer.frame, answer.plaintext) == (factory.meters[0].title, frame, GET_RESPONSE)
    assert answer.sealed == sealed(factory, 5, GET_RESPONSE)
    assert repr(GET_RESPONSE) not in repr(answer)


def test_a_service_specific_answer_is_opened_under_the_title_it_was_announced_with(
    factory: PushFactory, intake: Intake
) -> None:
    body = sealed(factory, 5, GET_RESPONSE)
    frame = wrap(1, 2, bytes([0xCC, len(body)]) + body)
    assert reasons(run(intake, [factory.frame(1, frame)])) == [RefusalReason.BAD_TAG]
    [answer] = run(intake, [factory.frame(0, frame)]).answers
    assert (answer.plaintext, answer.sealed) == (GET_RESPONSE, body)


def test_a1_an_answer_uses_up_its_counter_like_a_push_does(factory: PushFactory, intake: Intake) -> None:
    run(intake, [factory.frame(0, factory.profile_push(0, 5))])
    outcome = run(intake, [factory.frame(0, response(factory, n)) for n in (5, 6, 6)])
    assert reasons(outcome) == [RefusalReason.REPLAY, RefusalReason.REPLAY]
    assert len(outcome.answers) == 1
    assert reasons(run(intake, [factory.frame(0, factory.profile_push(0, 6))])) == [RefusalReason.REPLAY]


def test_an_association_answer_is_opened_where_it_is_sealed(factory: PushFactory, intake: Intake) -> None:
    frame = associated(factory, 9)
    outcome = run(intake, [factory.frame(0, frame)])
    assert reasons(outcome) == []
    [answer] = outcome.answers
    assert (answer.plaintext, answer.sealed) == (INITIATE_RESPONSE, sealed(factory, 9, INITIATE_RESPONSE))
    assert reasons(run(intake, [factory.frame(0, frame)])) == [RefusalReason.REPLAY]


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        pytest.param(aare(CONTEXT, REJECTED), True, id="an association refused"),
        pytest.param(wrap(1, 2, bytes.fromhex("6303800100")), True, id="a release"),
        pytest.param(wrap(1, 2, bytes.fromhex("d80303")), True, id="a request refused"),
        pytest.param(wrap(1, 2, bytes.fromhex("d8030600000009")), True, id="a request refused, with a counter"),
        pytest.param(
            aare(CONTEXT, TAKEN, inside=INITIATE_RESPONSE), False, id="A5 an association accepted in the clear"
        ),
        pytest.param(wrap(1, 2, GET_RESPONSE), False, id="A5 an answer in the clear"),
        pytest.param(wrap(1, 2, b"\xd8" + bytes(40)), False, id="a refusal with something behind it"),
    ],
)
def test_in_the_clear_only_a_refusal_passes_and_it_proves_nothing(
    factory: PushFactory, intake: Intake, frame: bytes, *, passes: bool
) -> None:
    outcome = run(intake, [factory.frame(0, frame)])
    assert [a.plaintext for a in outcome.answers] == ([None] if passes else [])
    assert len(outcome.letters) == (0 if passes else 1)
    assert len(outcome.accepted) == 0


# The clear part before it is judged by the association: no tag covers it.
@pytest.mark.parametrize("place", [40, 50, 60, -1])
def test_a6_an_altered_association_answer_is_refused_and_moves_no_window(
    factory: PushFactory, intake: Intake, place: int
) -> None:
    frame = bytearray(associated(factory, 9))
    frame[place] ^= 1
    outcome = run(intake, [factory.frame(0, bytes(frame))])
    assert (outcome.answers, len(outcome.letters)) == ([], 1)
    assert len(run(intake, [factory.frame(0, associated(factory, 9))]).answers) == 1


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        pytest.param({"number": 1}, RefusalReason.BAD_TAG, id="sealed by another meter"),
        pytest.param({"control": 0x10}, RefusalReason.DOWNGRADE, id="A5 authenticated only"),
        pytest.param({"control": 0x20}, RefusalReason.DOWNGRADE, id="A5 encrypted only"),
    ],
)
def test_an_association_answer_is_held_to_the_rules_of_a_push(
    factory: PushFactory, intake: Intake, how: dict[str, int], reason: RefusalReason
) -> None:
    assert reasons(run(intake, [factory.frame(0, associated(factory, 9, **how))])) == [reason]


def test_an_association_answered_in_anothers_name_is_refused(factory: PushFactory, intake: Intake) -> None:
    outcome = run(intake, [factory.frame(1, associated(factory, 9))])
    assert reasons(outcome) == [RefusalReason.BAD_ENVELOPE]
