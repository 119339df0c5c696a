"""Port of the book of cases, and the job that folds open findings into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from openami.contracts.changed import DaysChanged
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.editing.case import CaseDraft, CaseEvidence, Cause, Facts, OpenItem, folded
from openami.mdm.editing.fix import Fix, fix_of


@dataclass(frozen=True, slots=True)
class Case:
    """A case as kept.

    Args:
        id: random.
        cause, value, signature, rule: as on a draft.
        evidence: of the last fold.
        fix: what would close it.
        opened_at: domain time.
        open_items: of its items, those that still have an open finding.
        closed_at, closed_by, closed_reason: when, by whom and why it was closed; None while it is open.
        decision_id: the decision that closed it, or that waits to.
    """

    id: UUID
    cause: Cause
    value: str
    signature: str
    rule: str
    evidence: CaseEvidence
    fix: Fix
    opened_at: datetime
    open_items: int
    closed_at: datetime | None = None
    closed_by: UUID | None = None
    closed_reason: str | None = None
    decision_id: UUID | None = None

    @property
    def title(self) -> str:
        """What it is, in a line."""
        words = {
            Cause.CELL: f"cell {self.value}",
            Cause.FIRMWARE: f"firmware {self.value}",
            Cause.METER_LOT: f"meters of lot {self.value}",
            Cause.MASTER_DATA: "places whose registry was changed late",
            Cause.TRANSFORMER: f"transformer {self.value}",
            Cause.FEEDER: f"feeder {self.value}",
            Cause.CALENDAR: f"{self.value}, everywhere",
        }
        return f"{self.rule.replace('_', ' ')}: {words[self.cause]}"


class CaseBook(Protocol):
    """Cases and what they are made from."""

    async def open_items(self, *, min_places: int) -> list[OpenItem]:
        """Return open findings as items, of rules that at least so many places have."""
        ...

    async def facts(self, *, changed_since: datetime) -> Facts:
        """Return what is known of all places; master data count as late when entered since then and back-dated."""
        ...

    async def keep(self, drafts: Sequence[CaseDraft], *, at: datetime) -> int:
        """Open new cases, bring open ones of the same cause up to date, and close those whose findings are gone.

        Returns:
            how many were opened.
        """
        ...

    async def cases(self, *, is_open: bool | None = True, limit: int = 200) -> list[Case]:
        """Return cases, those with the most open items first."""
        ...

    async def case(self, case_id: UUID) -> Case:
        """Return one case.

        Raises:
            DecisionRefusedError: there is none.
        """
        ...

    async def cases_of(self, service_point_id: UUID) -> list[Case]:
        """Return open cases that hold findings of a place."""
        ...

    async def items(self, case_id: UUID) -> list[OpenItem]:
        """Return the items of a case that still have an open finding."""
        ...

    async def periods(self, case_id: UUID) -> dict[tuple[UUID, Channel], list[Period]]:
        """Return the spans of a case's open findings, one by one, by place and channel."""
        ...

    async def close(self, case_id: UUID, *, by: UUID, reason: str, decision_id: UUID | None, at: datetime) -> bool:
        """Close an open case. False where it is not open."""
        ...

    async def await_decision(self, case_id: UUID, decision_id: UUID) -> None:
        """Note that a decision which would close the case waits for a second person."""
        ...


class CaseJob:
    """The worker's job: folds open findings into cases after validation has run.

    Args:
        cases: the book.
    """

    name = "cases"
    PAUSE = timedelta(minutes=15)
    LATE = timedelta(days=45)

    def __init__(self, cases: CaseBook) -> None:
        self._cases = cases
        self._again: datetime | None = None

    async def run_due(self, now: datetime) -> None:
        """Fold, at most every quarter of an hour of domain time."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        await fold(self._cases, now)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Nothing: the next turn finds what there is."""


async def fold(cases: CaseBook, now: datetime) -> int:
    """Fold all open findings into cases and return how many were opened. Doing it again changes nothing."""
    from openami.mdm.editing.case import MIN_PLACES

    items = await cases.open_items(min_places=MIN_PLACES)
    drafts = folded(items, await cases.facts(changed_since=now - CaseJob.LATE)) if items else []
    return await cases.keep(drafts, at=now)


def fix_for(draft: CaseDraft) -> Fix:
    """Return what would close the case that a draft becomes."""
    return fix_of(draft.rule, draft.signature)
