"""Collectors for the console: from the gateway's words and the head-end's findings to sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.app.web.operations import answering
from openami.contracts.health import LinkPresence
from openami.headend.collectors.finding import SECURITY_RULES, CollectorFinding, CollectorRule
from openami.headend.collectors.judge import Standing, distance_m
from openami.kernel.clock import Clock
from openami.kernel.finding import Severity
from openami.kernel.time import epoch_s, instant_from_epoch_s
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.collector import (
    CollectorFindingView,
    CollectorReportView,
    CollectorState,
    CollectorsView,
    CollectorView,
    Whereabouts,
)
from openami.security.access.stolen import CollectorReport, ReportRefusedError, ReportsUnavailableError
from openami.security.access.stolen import Whereabouts as Said

FINDINGS_READ = 2_000
ENDED_SHOWN = 50
_ACTIONS: Mapping[CollectorRule, str] = {
    CollectorRule.SILENT: "Look whether the mains or the mobile network are away there; else send somebody today.",
    CollectorRule.ENCLOSURE_OPEN: "Ask whether a crew is there; else send somebody now.",
    CollectorRule.MOVED: "Ask whether a crew moved it; else report it stolen.",
    CollectorRule.OTHER_CELL: "Nothing, unless its place has changed too.",
    CollectorRule.CERTIFICATE_ENDS: "Give it a new certificate before the old one ends.",
    CollectorRule.BRINGS_REFUSED: "Look at its refused frames; if they are of many meters, report it stolen.",
    CollectorRule.STOLEN: "Look for it; once it is back, give it a new certificate and report it back.",
    CollectorRule.CLOCK_OFF: "Look at its time source: stamps of its frames are off by as much.",
}


class CollectorShelf(Protocol):
    """Where words and findings are kept."""

    async def fleet(self) -> Mapping[int, Standing]:
        """Return every collector that is not retired."""
        ...

    async def findings(self, *, open_only: bool, limit: int = 500) -> list[CollectorFinding]:
        """Return findings, open ones first, then the newest."""
        ...


class ReportKeeper(Protocol):
    """Where reports of people are kept."""

    async def keep(
        self, user_id: UUID, collector_id: int, whereabouts: Said, *, from_at: datetime, note: str
    ) -> CollectorReport:
        """Keep a report. Raises ReportRefusedError, ReportsUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class WatchedCollectors:
    """Implements :class:`~openami.portal.console_ports.CollectorDesk`.

    Args:
        shelf: words and findings.
        reports: keeps what people say of them.
        real, domain: the two clocks.
    """

    shelf: CollectorShelf
    reports: ReportKeeper
    real: Clock
    domain: Clock

    @answering
    async def collectors(self) -> CollectorsView:
        """Return every collector, those that need a person first."""
        fleet = await self.shelf.fleet()
        found = await self.shelf.findings(open_only=False, limit=FINDINGS_READ)
        open_of: dict[int, list[CollectorFinding]] = defaultdict(list)
        for finding in found:
            if finding.ended_ms is None:
                open_of[finding.condition.collector_id].append(finding)
        views = [_collector(number, standing, open_of[number]) for number, standing in fleet.items()]
        order = list(CollectorState)
        return CollectorsView(
            as_of=epoch_s(self.real.now()),
            collectors=sorted(views, key=lambda v: (order.index(v.state), v.collector_id)),
            ended=[_finding(f) for f in found if f.ended_ms is not None][:ENDED_SHOWN],
        )


    async def report(
        self, user_id: UUID, collector_id: int, whereabouts: Whereabouts, *, at: int | None, reason: str
    ) -> CollectorReportView:
        """Keep a person's report."""
        from_s = epoch_s(self.domain.now()) if at is None else at
        try:
            from_at = instant_from_epoch_s(from_s)
            kept = await self.reports.keep(
                user_id, collector_id, Said(whereabouts.value), from_at=from_at, note=reason
            )
        except (ReportRefusedError, OverflowError) as error:
            raise RefusedError(str(error)) from error
        except ReportsUnavailableError as error:
            raise SourceUnavailableError(str(error)) from error
        return CollectorReportView(
            report_id=kept.report_id, collector_id=collector_id, whereabouts=whereabouts, at=epoch_s(kept.from_at)
        )


def _collector(number: int, standing: Standing, findings: Sequence[CollectorFinding]) -> CollectorView:
    word, report = standing.word, standing.word.report
    state = _state(findings)
    moved = None
    if report is not None and standing.home is not None and report.has_position:
        moved = round(distance_m(standing.home, report))
    return CollectorView(
        collector_id=number,
        state=state,
        words=_standing_words(state, findings, is_connected=word.presence is LinkPresence.OPEN),
        is_connected=word.presence is LinkPresence.OPEN,
        since=word.since_ms // 1000,
        heard_at=word.heard_at_ms // 1000,
        is_enclosure_open=report is not None and report.is_enclosure_open,
        is_on_backup_supply=report is not None and report.is_on_backup_supply,
        certificate_days_left=report.certificate_days_left if report else None,
        spool_frames=report.spool_frames if report else None,
        uptime_s=report.uptime_s if report else None,
        clock_offset_s=round(word.clock_offset_ms / 1000, 1) if report else None,
        moved_m=moved,
        findings=[_finding(f) for f in findings],
    )


def _state(findings: Sequence[CollectorFinding]) -> CollectorState:
    rules = {f.condition.rule for f in findings}
    serious = {f.condition.rule for f in findings if f.condition.severity is Severity.FAIL}
    if CollectorRule.STOLEN in rules:
        return CollectorState.STOLEN
    if serious & (SECURITY_RULES - {CollectorRule.OTHER_CELL}):
        return CollectorState.SUSPECT
    if CollectorRule.SILENT in rules:
        return CollectorState.SILENT
    return CollectorState.ATTENTION if findings else CollectorState.WELL


def _standing_words(state: CollectorState, findings: Sequence[CollectorFinding], *, is_connected: bool) -> str:
    if findings:
        worst = min(findings, key=lambda f: (f.condition.severity is Severity.WARN, f.condition.since_ms))
        return _words(worst)
    return "Well." if is_connected and state is CollectorState.WELL else "Not connected now."


def _finding(finding: CollectorFinding) -> CollectorFindingView:
    return CollectorFindingView(
        collector_id=finding.condition.collector_id,
        rule=finding.condition.rule.value,
        words=_words(finding),
        action=_ACTIONS[finding.condition.rule],
        is_serious=finding.condition.severity is Severity.FAIL,
        since=finding.condition.since_ms // 1000,
        ended=None if finding.ended_ms is None else finding.ended_ms // 1000,
    )


def _words(finding: CollectorFinding) -> str:
    evidence = finding.condition.evidence
    match finding.condition.rule:
        case CollectorRule.SILENT:
            return _silence(str(evidence.get("likely", "")), evidence.get("silent_together", 1))
        case CollectorRule.ENCLOSURE_OPEN:
            return "Its enclosure is open." if evidence.get("is_open_now") else "Its enclosure was opened."
        case CollectorRule.MOVED:
            return f"It is {evidence.get('distance_m', '?')} m from where it was put up."
        case CollectorRule.OTHER_CELL:
            return f"Another mobile cell carries it: {evidence.get('cell', '?')}, not {evidence.get('home_cell', '?')}."
        case CollectorRule.CERTIFICATE_ENDS:
            return _certificate(evidence.get("days_left", 0))
        case CollectorRule.BRINGS_REFUSED:
            return f"It brought {evidence.get('refused', '?')} frames that nobody may take: damaged or in the clear."
        case CollectorRule.STOLEN:
            return _stolen(is_in=bool(evidence.get("is_in")), came_back="turned_away_ms" in evidence)
        case CollectorRule.CLOCK_OFF:
            return f"Its clock is {evidence.get('offset_s', '?')} s off."


def _stolen(*, is_in: bool, came_back: bool) -> str:
    if is_in:
        return "Reported stolen, and the gateway has not put it out yet."
    if came_back:
        return "Reported stolen. It has tried to connect since, and was turned away."
    return "Reported stolen. It is out."


def _silence(likely: str, together: float | str) -> str:
    if likely == "outage":
        return "Silent, and its mains were away when it was last heard: probably an outage."
    if likely == "widespread":
        return f"Silent together with {together} others: probably the network."
    return "It missed three heartbeats, by itself."


def _certificate(days: float | str) -> str:
    if isinstance(days, str) or days >= 0:
        return f"Its certificate ends in {days} days."
    return f"Its certificate ended {-days} days ago."
