"""Thresholds and words about them: what is written is read again, and a slip of the pen opens no door."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.command import CommandEffect
from openami.contracts.errors import ContractError
from openami.contracts.threshold import (
    BUILT_IN,
    COUNTED,
    EffectLimits,
    FeederSize,
    Thresholds,
    decode_thresholds,
)
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind, decode_word
from openami.kernel.ids import SystemTitle

counts = st.integers(0, 1_000_000)
thresholds = st.builds(
    Thresholds,
    version=st.integers(0, 2**32 - 1),
    effects=st.fixed_dictionaries({e: st.builds(EffectLimits, counts, counts, counts) for e in COUNTED}),
    meter_day=counts,
    feeder_meters=counts,
    warn_percent=st.integers(1, 100),
    feeders=st.dictionaries(
        st.integers(1, 2**32 - 1),
        st.builds(FeederSize, st.integers(1, 1_000_000), st.integers(1, 2**32 - 1)),
        max_size=4,
    ),
)
WORD = ThresholdWord(
    WordKind.HELD,
    5,
    1,
    0,
    rule=ThresholdRule.METER_DAY,
    reached=3,
    limit=2,
    held_id=UUID(int=9),
    title=SystemTitle(b"OAM\0\0\0\0\1"),
    effect=CommandEffect.DISCONNECT,
    order_id=UUID(int=0),
    requester=UUID(int=4),
)


@given(thresholds)
def test_thresholds_are_read_as_they_were_written(given_thresholds: Thresholds) -> None:
    assert decode_thresholds(given_thresholds.encode()) == given_thresholds


def test_what_is_left_out_has_its_built_in_value() -> None:
    assert decode_thresholds(b"{}") == BUILT_IN
    some = decode_thresholds(b'{"effects": {"limit": {"requester_hour": 1, "utility_hour": 2, "utility_day": 3}}}')
    assert some.effects[CommandEffect.LIMIT] == EffectLimits(1, 2, 3)
    assert some.effects[CommandEffect.DISCONNECT] == BUILT_IN.effects[CommandEffect.DISCONNECT]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"meter_dya": 2}, "no key meter_dya", id="a slip of the pen"),
        pytest.param({"meter_day": -1}, "meter_day must be a whole number from 0", id="below nothing"),
        pytest.param({"meter_day": 2.0}, "meter_day must be a whole number", id="a number with a point"),
        pytest.param({"meter_day": True}, "meter_day must be a whole number", id="a flag"),
        pytest.param({"warn_percent": 0}, "warn_percent must be", id="a warning always"),
        pytest.param({"effects": {"reconnect": {}}}, "effects has no key reconnect", id="a count of reconnections"),
        pytest.param({"effects": {"limit": {"requester_hour": 1}}}, "limit lacks utility_day", id="half a limit"),
        pytest.param({"effects": []}, "effects is no table", id="a list of effects"),
        pytest.param({"feeders": {"0": {"meters": 1, "load_w": 1}}}, "feeders.0 is no feeder", id="feeder nought"),
        pytest.param({"feeders": {"7": {"meters": 1}}}, "feeders.7.load_w must be", id="a feeder without its load"),
        pytest.param({"feeders": {"x" * 90: {}}}, "is no feeder's number", id="a feeder with a name"),
        pytest.param({"clock_free_s": 400, "clock_most_s": 300}, "beyond clock_most_s", id="free beyond the most"),
        pytest.param([], "thresholds is no table", id="a list"),
    ],
)
def test_thresholds_that_are_wrong_name_the_place(document: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        decode_thresholds(json.dumps(document).encode())


@pytest.mark.attack("A21")
@given(st.one_of(st.binary(max_size=80), st.just(b"[" * 100_000), st.just(b" " * 300_000)))
def test_any_octets_are_thresholds_a_word_or_a_contract_error(octets: bytes) -> None:
    for decode in (decode_thresholds, decode_word):
        try:
            decode(octets)
        except ContractError:
            continue


@pytest.mark.parametrize(
    "word", [WORD, ThresholdWord(WordKind.RENEWED, 5, 1, 3), ThresholdWord(WordKind.BLIND, 5, 1, 0)]
)
def test_a_word_is_read_as_it_was_written(word: ThresholdWord) -> None:
    assert decode_word(word.encode()) == word


@pytest.mark.parametrize(
    "change",
    [{"at_ms": -1}, {"at_ms": "5"}, {"kind": "x"}, {"title": "00"}, {"held_id": "x"}, {"more": 1}, {"effect": "CUT"}],
)
def test_a_word_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        decode_word(json.dumps(json.loads(WORD.encode()) | change).encode())
