"""What the head-end asks of meters, one at a time, and how each request may end.

A request is *queued* until it is its turn, *running* while a session works on it, *waiting* after a failure until its
next try, and at last *done* or *given up*. A killed owner leaves requests running; the next owner puts them back.

Identities are derived, so that planning the same thing twice, or again after a crash, is one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from uuid import UUID, uuid5

from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

DONE_KEPT_S = 86_400.0
"""Real time for which a request that was answered is kept and shown: its words and figures are readings."""


class RequestKind(StrEnum):
    """What is asked."""

    INTERVALS = "intervals"
    MIDNIGHT_REGISTERS = "midnight_registers"
    CLOCK = "clock"
    EVENTS = "events"
    READ_NOW = "read_now"
    PING = "ping"
    FIRMWARE = "firmware"
    COLUMNS = "columns"


class Lane(IntEnum):
    """Who goes first: a person who waits, tonight's bills, everything else."""

    PERSON = 0
    BILLING = 1
    BACKGROUND = 2


class RequestState(StrEnum):
    """Life of a request."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    GIVEN_UP = "given_up"


class Happening(StrEnum):
    """What changes a request's state."""

    TAKEN = "taken"
    ANSWERED = "answered"
    FAILED = "failed"
    SPENT = "spent"
    OWNER_DIED = "owner_died"
    OVERTAKEN = "overtaken"
    NOT_BEGUN = "not_begun"


_S, _H = RequestState, Happening
TRANSITIONS: Mapping[tuple[RequestState, Happening], RequestState] = {
    (_S.QUEUED, _H.TAKEN): _S.RUNNING,
    (_S.WAITING, _H.TAKEN): _S.RUNNING,
    (_S.RUNNING, _H.ANSWERED): _S.DONE,
    (_S.RUNNING, _H.FAILED): _S.WAITING,
    # The last try failed, nothing is left to try, or the time is over.
    (_S.RUNNING, _H.SPENT): _S.GIVEN_UP,
    (_S.QUEUED, _H.SPENT): _S.GIVEN_UP,
    (_S.WAITING, _H.SPENT): _S.GIVEN_UP,
    (_S.RUNNING, _H.OWNER_DIED): _S.QUEUED,
    # Its state could not be kept, so no session was begun on it.
    (_S.RUNNING, _H.NOT_BEGUN): _S.QUEUED,
    # What was wanted came by itself: a late push.
    (_S.QUEUED, _H.OVERTAKEN): _S.DONE,
    (_S.WAITING, _H.OVERTAKEN): _S.DONE,
}
OPEN = frozenset({RequestState.QUEUED, RequestState.RUNNING, RequestState.WAITING})


@dataclass(frozen=True, slots=True)
class Request:
    """One request to one meter.

    Args:
        request_id: derived from what is asked; random for a person's.
        meter_id: the meter.
        title: its system title.
        kind: what is asked.
        lane: who goes first.
        from_s, to_s: the span asked for, half-open, seconds since the epoch; equal where it has none.
        asked_at_s: domain time; of a person's request real time.
        state: where it stands.
        tries: how often a session began on it.
        not_before_s: earliest next try, real time, seconds since the epoch.
        expires_s: given up after this, real time; None for never.
        ended_at_s: real time; None while it is open.
        words: how it stands, for people: the last failure or the result.
    """

    request_id: UUID
    meter_id: UUID
    title: SystemTitle
    kind: RequestKind
    lane: Lane
    from_s: int
    to_s: int
    asked_at_s: int
    state: RequestState = RequestState.QUEUED
    tries: int = 0
    not_before_s: float = 0.0
    expires_s: float | None = None
    ended_at_s: float | None = None
    words: str = field(default="", repr=False)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN


def derived_id(meter_id: UUID, kind: RequestKind, from_s: int, to_s: int) -> UUID:
    """Return the identity of an unasked request: the same meter, kind and span is the same request."""
    return uuid5(meter_id, f"{kind.value}-{from_s}-{to_s}")


def next_state(state: RequestState, happening: Happening) -> RequestState:
    """Return the state after something happened.

    Raises:
        MisuseError: it cannot happen in this state.
    """
    after = TRANSITIONS.get((state, happening))
    if after is None:
        raise MisuseError(f"a request that is {state.value} cannot be {happening.value}")
    return after
