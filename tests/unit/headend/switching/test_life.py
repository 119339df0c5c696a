"""Each meter of an order ends with a code and words; a bulk order is spread; a reconnection is not given up early."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.headend.switching.blocks import BlockCode
from openami.headend.switching.life import (
    MOST_TRIES,
    PACE_PER_H,
    WORDS,
    Happened,
    ItemCode,
    ItemState,
    Report,
    SwitchTurn,
    spread_s,
    spread_turns,
    stepped,
)
from openami.headend.switching.order import SwitchAction
from openami.kernel.ids import SystemTitle

TURN = SwitchTurn(
    UUID(int=1), SystemTitle(b"OAM\x00\x00\x00\x00\x01"), UUID(int=2), ItemState.RUNNING, asked_at_s=100.0
)
CUT, CLOSE = SwitchAction.DISCONNECT, SwitchAction.RECONNECT
SILENT = Happened(Report.NO_ANSWER, words="nothing was heard of it")


def lived(*happenings: Happened, action: SwitchAction = CUT, window_end_s: float = 1e9) -> SwitchTurn:
    turn = TURN
    for happened in happenings:
        turn = stepped(turn, happened, action=action, window_end_s=window_end_s, now_s=max(turn.due_s, 200.0))
    return turn


@pytest.mark.parametrize("code", list(ItemCode))
def test_every_end_has_its_words_and_its_time(code: ItemCode) -> None:
    turn = lived(Happened(Report.ENDED, code))
    assert turn.state is (ItemState.DONE if code in {ItemCode.SWITCHED, ItemCode.ALREADY} else ItemState.REFUSED)
    assert (turn.code, turn.words, turn.took_s) == (code, WORDS[code], 100.0)


def test_every_block_is_an_end() -> None:
    assert {code.value for code in BlockCode} <= {code.value for code in ItemCode}


def test_a_meter_that_does_not_answer_is_refused_after_its_tries_and_never_was_sent_anything() -> None:
    turn = lived(*[SILENT] * (MOST_TRIES - 1))
    assert turn.state is ItemState.WAITING
    turn = lived(*[SILENT] * MOST_TRIES)
    assert (turn.state, turn.code) == (ItemState.REFUSED, ItemCode.NOT_COMMUNICATING)


def test_a_meter_that_fell_silent_after_the_command_is_unconfirmed() -> None:
    sent = Happened(Report.NO_ANSWER, was_sent=True)
    assert lived(sent, *[SILENT] * MOST_TRIES).code is ItemCode.UNCONFIRMED


def test_a_reconnection_is_tried_until_its_window_is_over() -> None:
    assert lived(*[SILENT] * 50, action=CLOSE).state is ItemState.WAITING
    assert lived(SILENT, action=CLOSE).due_s <= 205.0
    assert lived(SILENT, action=CLOSE, window_end_s=204.0).code is ItemCode.NOT_COMMUNICATING


def test_what_is_our_fault_counts_no_try() -> None:
    turn = lived(*[Happened(Report.LATER, words="the bus is away")] * 20)
    assert (turn.state, turn.tries, turn.words) == (ItemState.WAITING, 0, "the bus is away")
    assert lived(Happened(Report.LATER), window_end_s=201.0).code is ItemCode.WINDOW_OVER


@given(st.integers(11, 500), st.integers(0, 2**32), st.floats(0, 1e6))
def test_turns_are_spread_so_that_no_hour_has_more_than_the_pace(meters: int, seed: int, left_s: float) -> None:
    import random

    over_s = spread_s(CUT, meters, window_left_s=left_s)
    turns = spread_turns(range(meters), over_s, dice=random.Random(seed).random)
    assert sorted(item for item, _ in turns) == list(range(meters))
    delays = sorted(delay for _, delay in turns)
    assert 0 <= delays[0] <= delays[-1] <= over_s
    assert over_s <= max(0.0, left_s)
    if over_s == meters / PACE_PER_H * 3_600:
        for delay in delays:
            assert sum(delay <= d < delay + 3_600 for d in delays) <= PACE_PER_H + 1


def test_nobody_who_waits_for_light_is_made_to_wait_for_others() -> None:
    assert spread_s(CLOSE, 200, window_left_s=1e6) == 0.0
    assert [delay for _, delay in spread_turns("abc", 0.0, dice=lambda: 0.5)] == [0.0, 0.0, 0.0]
