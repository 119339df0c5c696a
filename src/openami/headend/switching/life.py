"""The life of one meter of a switching order, from its turn to an end that says what happened. Pure.

*waiting* until its turn, *running* while a session works on it, then *done* or *refused*; a meter that could not be
reached waits again until its tries or the order's window are over. Every end has a code and words: of two hundred
meters none is left without one. A killed owner leaves a meter running; the next one puts it back and asks the meter.

In a bulk order the turns are spread: evenly over the time that the pace needs, each with a share of chance, in an order
nobody chose. A steep step of load helps nobody, and time is what stops a wrong order.

Source: requirement R3.7 (random spread); DESIGN section 4 (Downlink).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from openami.headend.switching.order import SwitchAction
from openami.kernel.ids import SystemTitle

PACE_PER_H = 36.0
"""Disconnections an hour of one order: below four fifths of what the gateway passes, at which it warns people."""
BULK = 10
"""Meters of an order beyond which it is spread: what ten homes take is no step that a feeder feels."""
MOST_SPREAD_SHARE = 0.8
"""Of the window that is left; the rest is for those that have to be asked twice."""
MOST_TRIES = 4
"""Sessions with a meter that is to be disconnected and does not answer."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 300.0, 1_800.0
RECONNECT_PAUSE_S, RECONNECT_LONGEST_S = 5.0, 60.0
"""Somebody sits in the dark."""
T = TypeVar("T")


class ItemState(StrEnum):
    """Where a meter of an order stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"


class ItemCode(StrEnum):
    """What became of it. The first two are good; the rest are refusals, each with its words."""

    SWITCHED = "switched"
    ALREADY = "already"
    PAID = "paid"
    HOLD = "hold"
    OTHER_CUSTOMER = "other_customer"
    MOVED = "moved"
    WEATHER = "weather"
    NO_FORECAST = "no_forecast"
    NO_STAFF = "no_staff"
    CUT_FOR_SAFETY = "cut_for_safety"
    LOW_SECURITY = "low_security"
    THRESHOLD = "threshold"
    NOT_APPROVED = "not_approved"
    LIST_CHANGED = "list_changed"
    LOAD_VOLTAGE = "load_voltage"
    METER_REFUSED = "meter_refused"
    NOT_COMMUNICATING = "not_communicating"
    UNCONFIRMED = "unconfirmed"
    WINDOW_OVER = "window_over"
    WITHDRAWN = "withdrawn"
    NO_KEYS = "no_keys"


WORDS: Mapping[ItemCode, str] = {
    ItemCode.SWITCHED: "switched, and the meter says so",
    ItemCode.ALREADY: "the meter was so already",
    ItemCode.PAID: "the customer has paid since",
    ItemCode.HOLD: "the customer room holds this place",
    ItemCode.OTHER_CUSTOMER: "another customer has moved in since",
    ItemCode.MOVED: "the meter does not hang there any more",
    ItemCode.WEATHER: "the weather forecast forbids it",
    ItemCode.NO_FORECAST: "there is no fresh weather forecast, so it is not done",
    ItemCode.NO_STAFF: "nobody is there to reconnect, today or tomorrow",
    ItemCode.CUT_FOR_SAFETY: "it was disconnected for safety or theft: two people reconnect it for that reason",
    ItemCode.LOW_SECURITY: "the meter is below the security level that switching needs",
    ItemCode.THRESHOLD: "the gateway holds it back: it is over a threshold",
    ItemCode.NOT_APPROVED: "it is not approved, or not any more",
    ItemCode.LIST_CHANGED: "the order is not what was approved: all of it is refused",
    ItemCode.LOAD_VOLTAGE: "there is voltage on the customer's side: something feeds in, an electrician must look",
    ItemCode.METER_REFUSED: "the meter does not do it",
    ItemCode.NOT_COMMUNICATING: "the meter does not answer",
    ItemCode.UNCONFIRMED: "it was sent, and the meter has not said that it switched",
    ItemCode.WINDOW_OVER: "the order's time was over before its turn",
    ItemCode.WITHDRAWN: "the order was withdrawn",
    ItemCode.NO_KEYS: "there are no keys for this meter",
}
GOOD = frozenset({ItemCode.SWITCHED, ItemCode.ALREADY})


class Report(StrEnum):
    """What a session gave."""

    ENDED = "ended"
    """It is known what becomes of this meter: a code says what."""
    NO_ANSWER = "no_answer"
    """The meter was not reached, or was lost on the way."""
    LATER = "later"
    """Something of ours was away, or the gateway holds it back: no try is counted. A code says what becomes of it where
    the time is over before that has changed."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a session gave.

    Args:
        report: what.
        code: of an end.
        words: for people; empty for the code's own.
        was_sent: whether a command that switches has gone out, in this session or before.
    """

    report: Report
    code: ItemCode | None = None
    words: str = ""
    was_sent: bool = False


@dataclass(frozen=True, slots=True)
class SwitchTurn:
    """One meter of an order, as the tables keep it. Times are real, seconds since the epoch.

    Args:
        order_id: the order.
        title: the meter.
        service_point_id: where it hangs by the order.
        state: where it stands.
        due_s: when its turn is; after a try that failed, when the next one is.
        tries: sessions that reached nothing.
        was_sent: whether a command that switches has gone out for it.
        asked_at_s: when the order could be carried out first: from here it is timed.
        ended_at_s: when it ended; None while it has not.
        code, words: what became of it.
    """

    order_id: UUID
    title: SystemTitle
    service_point_id: UUID
    state: ItemState = ItemState.WAITING
    due_s: float = 0.0
    tries: int = 0
    was_sent: bool = False
    asked_at_s: float = 0.0
    ended_at_s: float | None = None
    code: ItemCode | None = None
    words: str = ""

    @property
    def took_s(self) -> float | None:
        """How long it took from the approval to the end [s]."""
        return None if self.ended_at_s is None else self.ended_at_s - self.asked_at_s


def stepped(
    turn: SwitchTurn, happened: Happened, *, action: SwitchAction, window_end_s: float, now_s: float
) -> SwitchTurn:
    """Return where a meter stands after a session.

    Args:
        turn: where it stood.
        happened: what the session gave.
        action: of the order.
        window_end_s: end of its window, real time.
        now_s: real time.
    """
    was_sent = turn.was_sent or happened.was_sent
    if happened.report is Report.ENDED and happened.code is not None:
        return ended(replace(turn, was_sent=was_sent), happened.code, happened.words, now_s=now_s)
    tries = turn.tries + (happened.report is Report.NO_ANSWER)
    due_s = now_s + pause_s(action, tries)
    if happened.code is ItemCode.THRESHOLD and action is SwitchAction.RECONNECT:
        # A feeder's ramp frees itself over five minutes: to ask every few seconds would only fill the air.
        due_s = now_s + RECONNECT_LONGEST_S
    is_last = action is not SwitchAction.RECONNECT and tries >= MOST_TRIES
    if is_last or due_s >= window_end_s:
        code = ItemCode.NOT_COMMUNICATING if tries else ItemCode.WINDOW_OVER
        if was_sent:
            code = ItemCode.UNCONFIRMED
        elif happened.code is not None:
            code = happened.code
        return ended(replace(turn, was_sent=was_sent, tries=tries), code, happened.words, now_s=now_s)
    return replace(turn, state=ItemState.WAITING, due_s=due_s, tries=tries, was_sent=was_sent, words=happened.words)


def ended(turn: SwitchTurn, code: ItemCode, words: str = "", *, now_s: float) -> SwitchTurn:
    """Return a meter at its end."""
    state = ItemState.DONE if code in GOOD else ItemState.REFUSED
    told = WORDS[code] if not words else f"{WORDS[code]} ({words})"
    return replace(turn, state=state, code=code, words=told, ended_at_s=now_s)


def pause_s(action: SwitchAction, tries: int) -> float:
    """Return how long a meter rests before the next try [s].

    >>> [pause_s(SwitchAction.RECONNECT, n) for n in (0, 1, 2, 9)]
    [5.0, 5.0, 10.0, 60.0]
    """
    first, longest = FIRST_PAUSE_S, LONGEST_PAUSE_S
    if action is SwitchAction.RECONNECT:
        first, longest = RECONNECT_PAUSE_S, RECONNECT_LONGEST_S
    return min(longest, first * 2.0 ** max(0, min(tries, 16) - 1))


def spread_s(action: SwitchAction, meters: int, *, window_left_s: float) -> float:
    """Return over how long the turns of an order are spread [s].

    A few meters have their turns at once, and so has everybody who waits to be reconnected: the gateway ramps those
    by the feeder's load.

    >>> spread_s(SwitchAction.DISCONNECT, 180, window_left_s=8 * 3600.0) / 3600
    5.0
    >>> spread_s(SwitchAction.DISCONNECT, 10, window_left_s=3600.0)
    0.0
    """
    if action is SwitchAction.RECONNECT or meters <= BULK:
        return 0.0
    return min(meters / PACE_PER_H * 3_600.0, MOST_SPREAD_SHARE * max(0.0, window_left_s))


def spread_turns(items: Sequence[T], over_s: float, *, dice: Callable[[], float]) -> list[tuple[T, float]]:
    """Return items in an order nobody chose, each with its delay [s]: one in each equal part of the time, by chance.

    Args:
        items: any.
        over_s: over how long.
        dice: 0 to below 1.
    """
    shuffled = sorted(((dice(), number, item) for number, item in enumerate(items)), key=lambda one: one[:2])
    part_s = over_s / max(1, len(shuffled))
    return [(item, (place + dice()) * part_s) for place, (_, _, item) in enumerate(shuffled)]
