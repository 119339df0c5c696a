"""Why a service point is not billed: the first link that stops it, since when, whose move, the one act that frees it.

Pure, from the plan of its bills and the bills themselves. A chain is walked as the bill itself is made: rate, read day,
end of the period, what holds it, the run that sends it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from openami.billing.bill.hold import RELEASABLE, Desk, HoldCode
from openami.billing.bill.record import Bill, BillState
from openami.billing.calendar.cycle import CycleCalendar, next_read_day
from openami.billing.cycle.place import Place, Planned, Unplanned
from openami.billing.statement.dates import counted, day
from openami.kernel.money import rounded_to_cent


class Stands(StrEnum):
    """How a link stands."""

    GOOD = "good"
    STOPS = "stops"
    LATER = "later"


class FreeingAct(StrEnum):
    """The one act that frees a bill."""

    NOTHING = "nothing"
    ASSIGN_RATE = "assign_rate"
    SET_READ_DAY = "set_read_day"
    LOOK_AT_READINGS = "look_at_readings"
    TAKE_READ = "take_read"
    RELEASE = "release"
    MEND_RATE = "mend_rate"
    CORRECT_BEFORE = "correct_before"


_ACTS = {
    HoldCode.NO_READ: FreeingAct.TAKE_READ,
    HoldCode.TOO_MANY_ESTIMATES: FreeingAct.TAKE_READ,
    HoldCode.UNKNOWN_RATE: FreeingAct.MEND_RATE,
    HoldCode.RATE_REFUSED: FreeingAct.MEND_RATE,
    HoldCode.UNPRICED_RIDER: FreeingAct.MEND_RATE,
    HoldCode.HOLIDAYS_NOT_KNOWN: FreeingAct.MEND_RATE,
    HoldCode.TAX_NOT_KNOWN: FreeingAct.MEND_RATE,
    HoldCode.SIGNAL_NOT_KNOWN: FreeingAct.MEND_RATE,
    HoldCode.PERIOD_LENGTH: FreeingAct.RELEASE,
    HoldCode.ESTIMATED_DEMAND: FreeingAct.RELEASE,
    HoldCode.ASKED_FOR: FreeingAct.RELEASE,
    HoldCode.NO_RATE: FreeingAct.ASSIGN_RATE,
    HoldCode.BILLED_ALREADY: FreeingAct.CORRECT_BEFORE,
    HoldCode.EARLIER_WAITS: FreeingAct.NOTHING,
    HoldCode.NEEDS_INTERVALS: FreeingAct.ASSIGN_RATE,
}
_RATE, _READ_DAY, _PERIOD, _HOLD = (
    "A rate is assigned", "Its group has a read day", "The period is over", "Nothing holds it",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BlockedLink:
    """One link of the chain, in words."""

    title: str
    words: str
    stands: Stands


@dataclass(frozen=True, slots=True)
class Blocked:
    """The answer about one service point.

    Args:
        service_point_id: where.
        headline: the answer in one sentence.
        since: local day since which it waits; None where it does not.
        owner: whose desk frees it; empty where nobody has to act.
        act: the one act.
        action: the same in words.
        bill_id: of the bill that waits, if one is held.
        can_release: whether a person may pass the hold over with a reason.
        waiting_days: billable days that wait.
        waiting_amount: what they are worth at the last bill's amount a day; None where there is none.
        currency: of that amount.
        chain: the links, up to the first that stops.
    """

    service_point_id: UUID
    headline: str
    since: date | None
    owner: str
    act: FreeingAct
    action: str
    bill_id: UUID | None
    can_release: bool
    waiting_days: int
    waiting_amount: Decimal | None
    currency: str
    chain: tuple[BlockedLink, ...]


def blocked(
    place: Place,
    due: Sequence[Planned | Unplanned],
    bills: Sequence[Bill],
    calendar: CycleCalendar,
    now: datetime,
    today: date,
) -> Blocked:
    """Return why a place is not billed, or that it is.

    Args:
        place: what is known of it.
        due: its bills that are due and did not go out, by first day.
        bills: its bills, newest first.
        calendar: read days.
        now: domain time.
        today: the same as a local day of the place.
    """
    walk = _Walk(place, due, bills, now)
    return walk.rate() or walk.read_day(calendar, today) or walk.period() or walk.hold() or walk.run()


class _Walk:
    """Walks the chain; a link that stops gives the answer, a good one is noted and the walk goes on."""

    def __init__(self, place: Place, due: Sequence[Planned | Unplanned], bills: Sequence[Bill], now: datetime) -> None:
        self._place = place
        self._planned = [d for d in due if isinstance(d, Planned)]
        self._unplanned = [d for d in due if isinstance(d, Unplanned)]
        self._bills = bills
        self._last = next((b for b in bills if b.state is BillState.ISSUED and b.total is not None), None)
        self._now = now
        self._next = "an unknown day"
        self._chain: list[BlockedLink] = []

    def rate(self) -> Blocked | None:
        if not self._place.rates:
            self._note(_RATE, "no rate was ever assigned here", Stands.STOPS)
            return self._answer("No rate is assigned here.", FreeingAct.ASSIGN_RATE, "put it on a rate", Desk.RATES)
        self._note(_RATE, self._place.rates[-1].rate_code, Stands.GOOD)
        return None

    def read_day(self, calendar: CycleCalendar, today: date) -> Blocked | None:
        group = self._place.bill_group
        for unplanned in self._unplanned:
            words = f"bill group {group} is read on no day"
            self._note(_READ_DAY, words, Stands.STOPS)
            action = "give the bill group read days in the billing calendar"
            return self._answer(f"Its {words}.", FreeingAct.SET_READ_DAY, action, Desk.BILLING, since=unplanned.since)
        read = next_read_day(calendar, group, today)
        if read is not None:
            self._next = day(read.read_on)
        self._note(_READ_DAY, f"group {group}, next read on {self._next}", Stands.GOOD)
        return None

    def period(self) -> Blocked | None:
        if not self._planned:
            self._note(_PERIOD, f"it ends with the next read, on {self._next}", Stands.LATER)
            through = "" if self._last is None else f" It is billed through {day(self._last.span.last)}."
            headline = f"Nothing waits.{through} The next bill follows the read of {self._next}."
            return self._answer(headline, FreeingAct.NOTHING, "")
        first = self._planned[0]
        self._note(_PERIOD, self._days, Stands.GOOD)
        if first.is_billed_already:
            words = "days of it went out on a bill of the account before"
            self._note("No other bill has its days", words, Stands.STOPS)
            action = "correct the bill of the account before: `openami corrections list`"
            headline = f"{self._days} waits: {words}."
            return self._answer(headline, FreeingAct.CORRECT_BEFORE, action, Desk.BILLING, since=first.span.end)
        return None

    def hold(self) -> Blocked | None:
        first = self._planned[0].span.first
        held = next((b for b in self._bills if b.state is BillState.HELD and b.span.first == first), None)
        if held is None or held.hold is None:
            self._note(_HOLD, "no hold", Stands.GOOD)
            return None
        hold = held.hold
        self._note(_HOLD, hold.reason, Stands.STOPS)
        self._behind()
        days = max(0, (self._now - hold.since).days)
        headline = f"{self._days} is held for {counted(days, 'day')}: {hold.reason}."
        act = _ACTS.get(hold.code, FreeingAct.LOOK_AT_READINGS)
        return self._answer(headline, act, hold.action, hold.owner, since=hold.since.date(), held=held)

    def _behind(self) -> None:
        """Note what waits for the first bill: it has a hold of its own, and goes out when that one has."""
        planned = {p.span.first for p in self._planned[1:]}
        waiting = [
            b
            for b in reversed(self._bills)
            if b.span.first in planned and b.hold is not None and b.hold.code is HoldCode.EARLIER_WAITS
        ]
        for bill in waiting:
            title = f"{day(bill.span.first)} to {day(bill.span.last)} waits behind it"
            since = "" if bill.hold is None else f"since {day(bill.hold.since.date())}: {bill.hold.reason}"
            self._note(title, since, Stands.LATER)

    def run(self) -> Blocked:
        self._note("The next run sends it out", "it goes out with the next run", Stands.LATER)
        headline = f"{self._days} is due and goes out with the next run."
        return self._answer(headline, FreeingAct.NOTHING, "", since=self._planned[0].span.end)

    @property
    def _days(self) -> str:
        span = self._planned[0].span
        return f"{day(span.first)} to {day(span.last)}"

    def _note(self, title: str, words: str, stands: Stands) -> None:
        self._chain.append(BlockedLink(title, words, stands))

    def _answer(
        self,
        headline: str,
        act: FreeingAct,
        action: str,
        owner: str = "",
        *,
        since: date | None = None,
        held: Bill | None = None,
    ) -> Blocked:
        waiting, last = sum(p.span.days for p in self._planned), self._last
        worth = None if last is None or last.total is None else rounded_to_cent(last.total * waiting / last.span.days)
        code = None if held is None or held.hold is None else held.hold.code
        return Blocked(
            self._place.service_point_id, headline, since, str(owner), act, action,
            None if held is None else held.bill_id, code in RELEASABLE, waiting, worth,
            "" if last is None else last.currency, tuple(self._chain),
        )  # fmt: skip
