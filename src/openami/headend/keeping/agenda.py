"""The open requests of a lease group: whose turn it is, when to try again, when to give up. Bounded, without I/O.

One request of a meter runs at a time. Order: lane, then the newest span first: what was lost an hour ago is worth
more than what was lost last week, and an old gap must not starve a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from openami.headend.keeping.budget import CellBudget
from openami.headend.keeping.request import Happening, Lane, Request, RequestKind, RequestState, next_state

MAX_OPEN = 5_000
"""Background requests that wait at once; what does not fit is planned again later. Some 2 MB."""
MAX_PRIORITY = 20_000
"""With tonight's bills and people's: a group of 15,000 meters may miss all of its midnight reads."""
CELL_NONE = -1
Dice = Callable[[], float]
"""Gives numbers in [0, 1)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again.

    Args:
        first_s: pause after the first failure [s]; doubles with each.
        longest_s: longest pause [s].
        tries: how many in all.
    """

    first_s: float
    longest_s: float
    tries: int

    def pause_s(self, tries: int, dice: Dice) -> float:
        """Return the pause after that many tries: half of it certain, half thrown, so that a cell's meters spread."""
        whole = min(self.longest_s, self.first_s * 2.0 ** (tries - 1))
        return whole * (0.5 + 0.5 * dice())


RETRIES: Mapping[Lane, RetryPolicy] = {
    # A person hangs on the line for 30 s: two tries and the plain word.
    Lane.PERSON: RetryPolicy(2.0, 4.0, 2),
    # Until 07:00, without emptying the cell's air.
    Lane.BILLING: RetryPolicy(60.0, 1_800.0, 14),
    Lane.BACKGROUND: RetryPolicy(120.0, 7_200.0, 10),
}


@dataclass(slots=True)
class Agenda:
    """Open requests of a group.

    Args:
        budget: air by cell.
        cell_of: number of a meter's cell; -1 where it has none.
    """

    budget: CellBudget
    cell_of: Callable[[Request], int]
    open: dict[UUID, Request] = field(default_factory=dict)
    busy: set[UUID] = field(default_factory=set)
    changed: dict[UUID, Request] = field(default_factory=dict)

    def add(self, request: Request) -> bool:
        """Take a request, unless it is open already or the lists are full.

        A span that is asked for by a person and lies open in the background moves up.
        """
        there = self.open.get(request.request_id)
        if there is not None:
            if request.lane < there.lane and there.state is not RequestState.RUNNING:
                self._put(replace(there, lane=request.lane, not_before_s=0.0))
            return False
        limit = MAX_OPEN if request.lane is Lane.BACKGROUND else MAX_PRIORITY
        if len(self.open) >= limit:
            return False
        self._put(request)
        return True

    def restore(self, requests: Iterable[Request]) -> None:
        """Take what an earlier owner left: what ran when it died is queued again, its tries counted."""
        for one in requests:
            if one.state is RequestState.RUNNING:
                self._put(replace(one, state=next_state(one.state, Happening.OWNER_DIED)))
            elif one.is_open:
                self.open[one.request_id] = one

    def take(self, *, now_s: float, limit: int) -> list[Request]:
        """Return the requests whose turn it is and that the cells bear, now running.

        Args:
            now_s: real time [s].
            limit: most that may begin now.
        """
        self._expire(now_s)
        ready = [
            r for r in self.open.values()
            if r.state is not RequestState.RUNNING and r.not_before_s <= now_s and r.meter_id not in self.busy
        ]  # fmt: skip
        taken: list[Request] = []
        for one in sorted(ready, key=lambda r: (r.lane, -r.to_s, r.request_id)):
            if len(taken) >= limit:
                break
            if one.meter_id in self.busy or not self.budget.spend(self.cell_of(one), one.lane, now_s=now_s):
                continue
            self.busy.add(one.meter_id)
            running = replace(one, state=next_state(one.state, Happening.TAKEN), tries=one.tries + 1)
            taken.append(self._put(running))
        return taken

    def put_back(self, requests: Iterable[Request]) -> None:
        """Queue what was taken and not begun; the try does not count."""
        for one in requests:
            self.busy.discard(one.meter_id)
            self._put(replace(one, state=next_state(one.state, Happening.NOT_BEGUN), tries=one.tries - 1))

    def answered(self, request_id: UUID, *, now_s: float, words: str = "") -> Request:
        """End a request that was answered."""
        return self._end(self.open[request_id], Happening.ANSWERED, now_s, words)

    def failed(
        self, request_id: UUID, *, now_s: float, words: str, dice: Dice, is_final: bool = False, is_ours: bool = False
    ) -> Request:
        """Note a failure: wait for the next try, or give up.

        Args:
            request_id: a running request.
            now_s: real time [s].
            words: why, for people.
            dice: spreads the next tries.
            is_final: trying again cannot help.
            is_ours: the way to the meters was closed, so the try does not count.
        """
        one = self.open[request_id]
        policy = RETRIES[one.lane]
        tries = one.tries - 1 if is_ours else one.tries
        if is_final or tries >= policy.tries:
            words = words if is_final else f"{words}; given up after {tries} tries"
            return self._end(replace(one, tries=tries), Happening.SPENT, now_s, words)
        self.busy.discard(one.meter_id)
        at_s = now_s + policy.pause_s(max(tries, 1), dice)
        state = next_state(one.state, Happening.FAILED)
        return self._put(replace(one, state=state, tries=tries, not_before_s=at_s, words=words))

    def overtaken(self, request_id: UUID, *, now_s: float, words: str) -> None:
        """End a request that is not running because what it asks for has come by itself."""
        one = self.open.get(request_id)
        if one is not None and one.state is not RequestState.RUNNING:
            self._end(one, Happening.OVERTAKEN, now_s, words)

    def hurry(self, meter_ids: frozenset[UUID], *, now_s: float) -> None:
        """Try meters again that have just been heard from: what waits for them is due now."""
        for one in list(self.open.values()):
            if one.meter_id in meter_ids and one.state is RequestState.WAITING and one.not_before_s > now_s:
                self._put(replace(one, not_before_s=now_s))

    def has_open(self, meter_id: UUID, kind: RequestKind) -> bool:
        """Tell whether a request of this kind is open for a meter."""
        return any(r.meter_id == meter_id and r.kind is kind for r in self.open.values())

    def meters_with_open(self, kind: RequestKind) -> frozenset[UUID]:
        """Return the meters that have an open request of this kind."""
        return frozenset(r.meter_id for r in self.open.values() if r.kind is kind)

    def drain(self) -> list[Request]:
        """Return every request that changed since the last call, as it stands."""
        changed, self.changed = list(self.changed.values()), {}
        return changed

    def _expire(self, now_s: float) -> None:
        for one in list(self.open.values()):
            if one.expires_s is not None and one.expires_s <= now_s and one.state is not RequestState.RUNNING:
                words = one.words or "its turn never came"
                self._end(one, Happening.SPENT, now_s, f"{words}; the time for it is over")

    def _end(self, one: Request, happening: Happening, now_s: float, words: str) -> Request:
        self.busy.discard(one.meter_id)
        ended = replace(one, state=next_state(one.state, happening), ended_at_s=now_s, words=words)
        self.open.pop(one.request_id, None)
        self.changed[one.request_id] = ended
        return ended

    def _put(self, one: Request) -> Request:
        self.open[one.request_id] = self.changed[one.request_id] = one
        return one
