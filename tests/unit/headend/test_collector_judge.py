"""A collector is suspect for what a thief does to it, and a storm is not many thefts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from openami.contracts.health import CollectorWord, HealthReport, LinkPresence
from openami.headend.collectors.finding import CollectorRule, Condition
from openami.headend.collectors.judge import (
    LINGER_MS,
    RETURN_WITHIN_MS,
    SILENT_AFTER_MS,
    TOLD_WITHIN_MS,
    Home,
    Standing,
    judge,
)
from openami.kernel.finding import Severity

NOW = 1_780_000_000_000
PLACE = (387_000_000, -904_000_000)
WELL = HealthReport(
    uptime_s=60,
    is_enclosure_open=False,
    is_on_backup_supply=False,
    latitude_e7=PLACE[0],
    longitude_e7=PLACE[1],
    cell=4_101,
    certificate_days_left=400,
    spool_frames=0,
    clock_ms=NOW,
)
HOME = Home(*PLACE, 4_101)


def word(number: int = 1, **changed: object) -> CollectorWord:
    well = CollectorWord(number, 1, LinkPresence.OPEN, NOW - 9_000_000, NOW, NOW, NOW - 9_000_000, report=WELL)
    return replace(well, **changed)  # type: ignore[arg-type]


def gone(number: int, *, heard_at_ms: int, report: HealthReport = WELL) -> CollectorWord:
    return word(number, presence=LinkPresence.GONE, heard_at_ms=heard_at_ms, cause="silent", report=report)


def found(*words: CollectorWord, home: Home | None = HOME) -> list[Condition]:
    return judge({w.collector_id: Standing(w, home) for w in words}, now_ms=NOW)


def rules(conditions: list[Condition]) -> Mapping[CollectorRule, Severity]:
    return {c.rule: c.severity for c in conditions}


def test_nothing_is_wrong_with_a_well_collector_nor_with_one_that_says_nothing_of_itself() -> None:
    assert found(word(), word(2, report=None)) == []


@pytest.mark.parametrize(
    ("said", "rule", "severity"),
    [
        pytest.param(
            word(opened_at_ms=NOW - 1, report=replace(WELL, is_enclosure_open=True)),
            CollectorRule.ENCLOSURE_OPEN, Severity.FAIL, id="its door is open",
        ),
        pytest.param(
            word(opened_at_ms=NOW - LINGER_MS + 1), CollectorRule.ENCLOSURE_OPEN, Severity.FAIL,
            id="its door was open within a day",
        ),
        pytest.param(
            word(report=replace(WELL, latitude_e7=PLACE[0] + 20_000)), CollectorRule.MOVED, Severity.FAIL,
            id="it is 223 m from home",
        ),
        pytest.param(
            word(report=replace(WELL, cell=9)), CollectorRule.OTHER_CELL, Severity.WARN, id="another cell carries it"
        ),
        pytest.param(
            word(report=replace(WELL, certificate_days_left=59)), CollectorRule.CERTIFICATE_ENDS, Severity.WARN,
            id="its certificate ends in two months",
        ),
        pytest.param(
            word(report=replace(WELL, certificate_days_left=-1)), CollectorRule.CERTIFICATE_ENDS, Severity.FAIL,
            id="its certificate has ended",
        ),
        pytest.param(
            word(clock_offset_ms=-61_000), CollectorRule.CLOCK_OFF, Severity.WARN, id="its clock is a minute behind"
        ),
        pytest.param(
            gone(1, heard_at_ms=NOW - SILENT_AFTER_MS), CollectorRule.SILENT, Severity.FAIL,
            id="three heartbeats are missing",
        ),
        pytest.param(
            word(told_at_ms=NOW - TOLD_WITHIN_MS), CollectorRule.SILENT, Severity.FAIL, id="nobody speaks of it"
        ),
    ],
)  # fmt: skip
def test_what_a_person_should_look_at_is_found(said: CollectorWord, rule: CollectorRule, severity: Severity) -> None:
    assert rules(found(said)) == {rule: severity}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(gone(1, heard_at_ms=NOW - SILENT_AFTER_MS + 1), id="two heartbeats are missing"),
        pytest.param(word(opened_at_ms=NOW - LINGER_MS), id="its door was closed a day ago"),
        pytest.param(word(report=replace(WELL, latitude_e7=PLACE[0] + 10_000)), id="its receiver wanders 111 m"),
        pytest.param(word(report=replace(WELL, latitude_e7=0, longitude_e7=0)), id="it does not know where it is"),
        pytest.param(word(report=replace(WELL, cell=0)), id="it does not know its cell"),
    ],
)
def test_what_is_usual_is_no_finding(said: CollectorWord) -> None:
    assert found(said) == []


def test_a_collector_without_a_home_yet_has_not_moved() -> None:
    assert found(word(report=replace(WELL, latitude_e7=0, cell=9)), home=None) == []


def test_one_that_does_not_come_back_to_a_gateway_that_started_anew_is_silent_after_five_minutes() -> None:
    old = word(2, told_at_ms=NOW - 600_000, heard_at_ms=NOW - 600_000)
    here = word(1, gateway_since_ms=NOW - RETURN_WITHIN_MS)
    assert [c.collector_id for c in found(here, old)] == [2]
    assert found(word(1, gateway_since_ms=NOW - RETURN_WITHIN_MS + 1), old) == []
    assert found(replace(here, gateway_id=2), old) == []


def test_a_silence_after_the_mains_went_away_is_a_warning() -> None:
    dark = replace(WELL, is_on_backup_supply=True)
    (silence,) = found(gone(1, heard_at_ms=NOW - 100_000, report=dark))
    assert (silence.severity, silence.evidence["likely"]) == (Severity.WARN, "outage")


def test_a_storm_makes_warnings_and_one_silent_collector_in_fifty_a_suspect() -> None:
    storm = found(*[gone(n, heard_at_ms=NOW - 100_000 - 1_000 * n) for n in range(1, 21)], *map(word, range(21, 51)))
    assert len(storm) == 20
    assert {(c.severity, c.evidence["likely"]) for c in storm} == {(Severity.WARN, "widespread")}
    (lone,) = found(gone(1, heard_at_ms=NOW - 100_000), *map(word, range(2, 51)))
    assert (lone.severity, lone.evidence["likely"]) == (Severity.FAIL, "unknown")


@pytest.mark.attack("A33")
def test_a_thief_in_a_storm_is_seen_by_the_door() -> None:
    robbed = replace(gone(7, heard_at_ms=NOW - 100_000), opened_at_ms=NOW - 101_000)
    others = [gone(n, heard_at_ms=NOW - 100_000) for n in range(1, 20) if n != 7]
    assert rules([c for c in found(robbed, *others) if c.collector_id == 7])[CollectorRule.ENCLOSURE_OPEN] == "fail"


@pytest.mark.attack("A32", "A33")
@pytest.mark.parametrize(
    ("refused", "ago_ms", "expected"),
    [
        (9, 0, {}),
        (10, 0, {CollectorRule.BRINGS_REFUSED: Severity.WARN}),
        (1_000, 0, {CollectorRule.BRINGS_REFUSED: Severity.FAIL}),
        (1_000, LINGER_MS, {}),
    ],
)
def test_a_collector_that_brings_what_nobody_may_take_is_suspect(
    refused: int, ago_ms: int, expected: Mapping[CollectorRule, Severity]
) -> None:
    assert rules(found(word(refused=refused, refused_at_ms=NOW - ago_ms))) == expected
    # Frames of devices that are not known yet say nothing against whoever hears them.
    assert found(word(set_aside=10_000, refused_at_ms=NOW)) == []


@pytest.mark.attack("A32")
def test_a_stolen_collector_is_a_finding_until_it_is_back_and_says_when_it_last_came() -> None:
    fleet = {7: Standing(word(7, presence=LinkPresence.GONE, cause="stolen", since_ms=NOW - 5), HOME)}
    (stolen,) = [c for c in judge(fleet, now_ms=NOW, stolen={7: NOW - 60_000}) if c.rule is CollectorRule.STOLEN]
    assert (stolen.severity, stolen.since_ms) == (Severity.FAIL, NOW - 60_000)
    assert stolen.evidence == {"is_in": 0, "turned_away_ms": NOW - 5}
    (unheard,) = judge({}, now_ms=NOW, stolen={9: NOW})
    assert (unheard.collector_id, unheard.rule) == (9, CollectorRule.STOLEN)
