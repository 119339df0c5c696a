"""Why is this read missing? The first link that is broken, in words, since when, and the one action that mends it.

A read comes from a meter that is installed, has keys, has a supply, is heard, is believed, and was asked again where
its push was lost. The first of these that does not hold is the answer; what lies behind it cannot matter yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openami.contracts.deadletter import RefusalReason
from openami.headend.keeping.request import Request, RequestState

GRACE = timedelta(minutes=30)
"""Pushes are spread over minutes, and some overtake others: before this nothing is missing."""
SILENT_AFTER = timedelta(hours=2)
"""A meter that pushes each quarter-hour and was not heard for this long is silent."""


class Link(StrEnum):
    """Which link of the chain is broken."""

    NONE = "none"
    NOT_DUE = "not_due"
    NOT_INSTALLED = "not_installed"
    NO_KEYS = "no_keys"
    NO_SUPPLY = "no_supply"
    NEVER_HEARD = "never_heard"
    CELL_SILENT = "cell_silent"
    REFUSED = "refused"
    SILENT = "silent"
    ABSENT = "absent"
    BEYOND_PROFILE = "beyond_profile"
    GIVEN_UP = "given_up"
    ASKED = "asked"
    PUSH_LOST = "push_lost"


class IntervalState(StrEnum):
    """What coverage says of one quarter-hour of one meter."""

    RECEIVED = "received"
    DARK = "dark"
    ABSENT = "absent"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Refused:
    """The newest frame that was refused under a meter's name."""

    reason: RefusalReason
    at: datetime


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that is known around one interval or read of one meter.

    Args:
        installed_at, removed_at: where the registry has it; None where it never did.
        has_keys: whether the vault has its keys.
        state: what coverage says of the interval.
        no_supply_since: by the meter's own word; None where it has supply.
        last_frame_at: newest accepted frame; None for none ever.
        cell: its radio cell's name; empty for none.
        cell_last_frame_at: newest accepted frame of any meter of the cell.
        refused: newest refused frame.
        request: the newest request that asks for it; None where there is none.
        profile_days: how long the meter keeps its rows.
    """

    installed_at: datetime | None
    removed_at: datetime | None
    has_keys: bool
    state: IntervalState
    no_supply_since: datetime | None = None
    last_frame_at: datetime | None = None
    cell: str = ""
    cell_last_frame_at: datetime | None = None
    refused: Refused | None = None
    request: Request | None = None
    profile_days: int = 60


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer for people.

    Args:
        link: which link is broken.
        words: one sentence.
        since: since when; None where that has no meaning.
        action: the one thing that helps; empty where nothing is to be done.
    """

    link: Link
    words: str
    since: datetime | None
    action: str


_REFUSED_ACTION = {
    RefusalReason.UNKNOWN_TITLE: "Import the shipment file that has this meter's keys.",
    RefusalReason.BAD_TAG: "Check the meter's keys: renew them, or import the maker's file again.",
    RefusalReason.REPLAY: "Look at the refused frames: the counter was seen before.",
    RefusalReason.COUNTER_JUMP: "Look at the refused frames and release the counter if the meter is genuine.",
    RefusalReason.COUNTER_LOWERED: "Send somebody to look at the meter, and give it new keys: its counter fell.",
    RefusalReason.UNKNOWN_LAYOUT: "Add the push layout to the meter's profile.",
}


def why_missing(known: Circumstances, *, end: datetime, now: datetime) -> Explanation:
    """Explain why an interval or read is not here.

    Args:
        known: what is known around it.
        end: when the interval ended, or the instant of the read.
        now: domain time.
    """
    for check in (_is_here, _registry, _keys, _supply, _time, _hearing, _asking):
        answer = check(known, end, now)
        if answer is not None:
            return answer
    words = "Its push did not arrive; the meter will be asked with the next round."
    return Explanation(Link.PUSH_LOST, words, end, "Nothing to do: or read it now.")


def _is_here(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    if known.state is IntervalState.RECEIVED:
        return Explanation(Link.NONE, "It is here.", None, "")
    if now < end + GRACE and known.state is not IntervalState.DARK:
        return Explanation(Link.NOT_DUE, "It is not due yet: pushes take up to half an hour.", None, "")
    return None


def _registry(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    del now
    if known.installed_at is None:
        words = "This meter hangs at no service point."
        return Explanation(Link.NOT_INSTALLED, words, None, "Attach the meter to its service point.")
    if end <= known.installed_at:
        words = "The meter was installed later."
        return Explanation(Link.NOT_INSTALLED, words, known.installed_at, "Check the installation time.")
    if known.removed_at is not None and end > known.removed_at:
        words = "The meter had been removed by then."
        return Explanation(Link.NOT_INSTALLED, words, known.removed_at, "Look at the meter that replaced it.")
    return None


def _keys(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    del end, now
    if known.has_keys:
        return None
    words = "There are no keys for this meter, so nothing it sends can be opened."
    return Explanation(Link.NO_KEYS, words, known.installed_at, _REFUSED_ACTION[RefusalReason.UNKNOWN_TITLE])


def _supply(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    del now
    if known.state is IntervalState.DARK:
        return Explanation(Link.NO_SUPPLY, "The meter had no supply: there is no interval.", end, "")
    if known.no_supply_since is not None and end > known.no_supply_since:
        words = "The meter reported that its supply failed and has not come back."
        return Explanation(Link.NO_SUPPLY, words, known.no_supply_since, "Restore the supply: see the outage.")
    return None


def _time(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    if known.state is IntervalState.ABSENT:
        words = "The meter was asked and has no row for it."
        return Explanation(Link.ABSENT, words, end, "Read the meter's event logs for an outage or a clock change.")
    if end < now - timedelta(days=known.profile_days):
        words = f"The meter keeps {known.profile_days} days of intervals and no longer holds this one."
        return Explanation(Link.BEYOND_PROFILE, words, end, "Nothing can be read: it stays estimated.")
    return None


def _hearing(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    del end
    heard, refused = known.last_frame_at, known.refused
    if refused is not None and (heard is None or refused.at > heard):
        words = f"Its frames arrive and are refused: {refused.reason.value.replace('_', ' ')}."
        action = _REFUSED_ACTION.get(refused.reason, "Look at the refused frames.")
        return Explanation(Link.REFUSED, words, heard or refused.at, action)
    if heard is not None and now - heard < SILENT_AFTER:
        return None
    cell_heard = known.cell_last_frame_at
    if known.cell and (cell_heard is None or now - cell_heard >= SILENT_AFTER):
        words = f"Nothing is heard from the whole cell {known.cell}."
        return Explanation(Link.CELL_SILENT, words, cell_heard, f"Check the collector of cell {known.cell}.")
    if heard is None:
        words = "No frame of this meter has ever been accepted."
        return Explanation(Link.NEVER_HEARD, words, known.installed_at, "Check the installation: radio and supply.")
    words = "Nothing was heard from this meter, while its cell is heard."
    return Explanation(Link.SILENT, words, heard, "Ping the meter; send somebody if it does not answer.")


def _asking(known: Circumstances, end: datetime, now: datetime) -> Explanation | None:
    del now
    one = known.request
    if one is None:
        return None
    asked = datetime.fromtimestamp(one.asked_at_s, end.tzinfo)
    if one.state is RequestState.GIVEN_UP:
        return Explanation(Link.GIVEN_UP, f"The meter was asked: {one.words}.", asked, "Read it now.")
    if one.state is RequestState.RUNNING:
        return Explanation(Link.ASKED, "The meter is being asked now.", asked, "")
    if one.state is RequestState.WAITING:
        tried = "once" if one.tries == 1 else f"{one.tries} times"
        words = f"Its push was lost; the meter was asked {tried} ({one.words})."
        return Explanation(Link.ASKED, words, asked, "Nothing to do: or read it now.")
    if one.state is RequestState.QUEUED:
        words = "Its push was lost; the meter's turn to be asked has not come yet."
        return Explanation(Link.ASKED, words, asked, "Nothing to do: or read it now.")
    return None
