"""The console's collectors: who needs a person comes first, and every rule has its sentence and its action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from openami.app.web.collectors import WatchedCollectors
from openami.contracts.health import CollectorWord, HealthReport, LinkPresence
from openami.headend.collectors.finding import CollectorFinding, CollectorRule, Condition
from openami.headend.collectors.judge import Home, Standing
from openami.kernel.clock import FixedClock
from openami.kernel.finding import Severity
from openami.portal.ports import RefusedError
from openami.portal.views.collector import CollectorState, Whereabouts
from openami.security.access.stolen import CollectorReport, ReportRefusedError
from openami.security.access.stolen import Whereabouts as Said

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
REPORT = HealthReport(3600, False, True, 387_010_000, 0, 7, 12, 40, NOW_MS)


def standing(number: int, *, report: HealthReport | None = REPORT, is_open: bool = True) -> Standing:
    presence = LinkPresence.OPEN if is_open else LinkPresence.GONE
    word = CollectorWord(
        number, 1, presence, NOW_MS - 60_000, NOW_MS - 5_000, NOW_MS, clock_offset_ms=1_250, report=report
    )
    return Standing(word, Home(387_000_000, 0, 7))


def finding(
    number: int, rule: CollectorRule, *, severity: Severity = Severity.FAIL, ended: bool = False, **evidence: Any
) -> CollectorFinding:
    condition = Condition(number, rule, severity, NOW_MS - 90_000, evidence)
    return CollectorFinding(condition, NOW_MS - 1_000 if ended else None)


class Shelf:
    def __init__(self, fleet: Mapping[int, Standing], findings: list[CollectorFinding]) -> None:
        self._fleet, self._findings = fleet, findings

    async def fleet(self) -> Mapping[int, Standing]:
        return self._fleet

    async def findings(self, *, open_only: bool, limit: int = 500) -> list[CollectorFinding]:
        return self._findings[:limit]


class Reports:
    """Keeps reports unless they make no sense."""

    def __init__(self) -> None:
        self.kept: list[CollectorReport] = []

    async def keep(
        self, user_id: UUID, collector_id: int, whereabouts: Said, *, from_at: datetime, note: str
    ) -> CollectorReport:
        if from_at > NOW:
            raise ReportRefusedError("the time lies in the future")
        self.kept.append(CollectorReport(uuid4(), collector_id, whereabouts, from_at, frozenset(), user_id, NOW, note))
        return self.kept[-1]


def desk(shelf: Shelf, reports: Reports | None = None) -> WatchedCollectors:
    return WatchedCollectors(shelf, reports or Reports(), FixedClock(NOW), FixedClock(NOW))


async def test_a_report_says_since_when_and_by_whom_and_now_where_nobody_says_when() -> None:
    reports = Reports()
    user = uuid4()
    view = await desk(Shelf({}, []), reports).report(user, 9, Whereabouts.STOLEN, at=None, reason="its box is empty")
    (kept,) = reports.kept
    assert (kept.collector_id, kept.from_at, kept.user_id, kept.whereabouts) == (9, NOW, user, Said.STOLEN)
    assert view.at == int(NOW.timestamp())


@pytest.mark.parametrize("at", [int(NOW.timestamp()) + 60, 10**15])
async def test_a_report_that_makes_no_sense_is_refused_with_words(at: int) -> None:
    with pytest.raises(RefusedError):
        await desk(Shelf({}, [])).report(uuid4(), 9, Whereabouts.BACK, at=at, reason="found it")


async def test_a_stolen_collector_is_the_first_of_all() -> None:
    found = [finding(4, CollectorRule.ENCLOSURE_OPEN), finding(5, CollectorRule.STOLEN, is_in=0)]
    view = await desk(Shelf({4: standing(4), 5: standing(5)}, found)).collectors()
    assert [c.state for c in view.collectors] == [CollectorState.STOLEN, CollectorState.SUSPECT]


async def test_collectors_that_need_a_person_come_first() -> None:
    found = [
        finding(2, CollectorRule.CERTIFICATE_ENDS, severity=Severity.WARN, days_left=40),
        finding(3, CollectorRule.SILENT, severity=Severity.WARN, likely="outage"),
        finding(4, CollectorRule.ENCLOSURE_OPEN, is_open_now=1),
        finding(1, CollectorRule.CLOCK_OFF, severity=Severity.WARN, ended=True, offset_s=90),
    ]
    fleet = {n: standing(n) for n in (1, 2, 3, 4)}
    view = await desk(Shelf(fleet, found)).collectors()
    assert [(c.collector_id, c.state) for c in view.collectors] == [
        (4, CollectorState.SUSPECT),
        (3, CollectorState.SILENT),
        (2, CollectorState.ATTENTION),
        (1, CollectorState.WELL),
    ]
    assert [f.words for f in view.ended] == ["Its clock is 90 s off."]


async def test_what_a_collector_says_of_itself_is_shown() -> None:
    view = await desk(Shelf({1: standing(1)}, [])).collectors()
    (one,) = view.collectors
    assert (one.words, one.moved_m, one.spool_frames, one.certificate_days_left) == ("Well.", 111, 40, 12)
    assert (one.clock_offset_s, one.is_on_backup_supply, one.heard_at) == (1.2, True, NOW_MS // 1000 - 5)


async def test_an_old_collector_that_reports_nothing_is_shown_by_its_connection_alone() -> None:
    fleet = {1: standing(1, report=None, is_open=False)}
    (one,) = (await desk(Shelf(fleet, [])).collectors()).collectors
    assert (one.words, one.moved_m, one.spool_frames, one.clock_offset_s) == ("Not connected now.", None, None, None)


@pytest.mark.parametrize(
    ("rule", "evidence", "words"),
    [
        (CollectorRule.SILENT, {"likely": "unknown"}, "It missed three heartbeats, by itself."),
        (CollectorRule.SILENT, {"likely": "outage"}, "Silent, and its mains were away"),
        (CollectorRule.SILENT, {"likely": "widespread", "silent_together": 7}, "Silent together with 7 others"),
        (CollectorRule.ENCLOSURE_OPEN, {"is_open_now": 0}, "Its enclosure was opened."),
        (CollectorRule.ENCLOSURE_OPEN, {"is_open_now": 1}, "Its enclosure is open."),
        (CollectorRule.MOVED, {"distance_m": 412}, "It is 412 m from where it was put up."),
        (CollectorRule.OTHER_CELL, {"cell": 9, "home_cell": 7}, "Another mobile cell carries it: 9, not 7."),
        (CollectorRule.CERTIFICATE_ENDS, {"days_left": 5}, "Its certificate ends in 5 days."),
        (CollectorRule.CERTIFICATE_ENDS, {"days_left": -2}, "Its certificate ended 2 days ago."),
        (CollectorRule.CLOCK_OFF, {"offset_s": -75}, "Its clock is -75 s off."),
    ],
)
async def test_every_rule_has_its_sentence_and_its_action(
    rule: CollectorRule, evidence: dict[str, Any], words: str
) -> None:
    shelf = Shelf({1: standing(1)}, [finding(1, rule, **evidence)])
    (one,) = (await desk(shelf).collectors()).collectors
    (shown,) = one.findings
    assert shown.words.startswith(words)
    assert shown.action.endswith(".")
    assert one.words == shown.words
