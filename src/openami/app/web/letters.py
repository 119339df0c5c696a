"""Refused frames for the staff pages, from both doors: the gateway's quarantine and the head-end's dead letters."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openami.contracts.deadletter import RefusalReason
from openami.headend.api import HeadendStatus, RefusedFrame
from openami.kernel.clock import Clock
from openami.kernel.time import epoch_s
from openami.network.gateway.refused import QuarantinedFrame, newest_refused, refused_counts
from openami.portal.problem import bad_request
from openami.portal.views.staff import DeadLettersView, DeadLetterView, ReasonCountView

SEARCH_LETTERS = 2_000
"""How many letters of each door are looked through for those of one device."""
LAST_STAMP_S = 253_402_214_400
"""9999-12-31: a collector's stamp is its own and may be anything."""
WORDS: Mapping[RefusalReason, str] = {
    RefusalReason.UNKNOWN_TITLE: "no keys for this device",
    RefusalReason.BAD_ENVELOPE: "the frame is damaged",
    RefusalReason.DOWNGRADE: "not both encrypted and authenticated",
    RefusalReason.BAD_TAG: "the tag does not verify: altered, or another key",
    RefusalReason.REPLAY: "a frame that came before",
    RefusalReason.COUNTER_JUMP: "the counter jumped too far",
    RefusalReason.COUNTER_LOWERED: "the counter fell: the meter was reset, or a second one has its keys",
    RefusalReason.UNKNOWN_LAYOUT: "a layout that no meter profile describes",
    RefusalReason.BAD_CONTENT: "the content cannot be read",
    RefusalReason.OVERSIZE: "larger than any frame may be",
    RefusalReason.STOLEN_COLLECTOR: "brought by a collector that was reported stolen",
    RefusalReason.OVER_RATE: "more frames of this device than it can have",
}
_GATEWAY = "gateway-"
_CURSOR = re.compile(r"(?:(\d{1,19}-\d{1,10}))?_(?:(\d{1,8})-(\d{1,12}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Letters:
    """Refused frames of both doors as one list.

    Args:
        headend: what head-ends have written.
        gateway: the gateway's folder in the home, perhaps not there.
        real: real time.
    """

    headend: HeadendStatus
    gateway: Path
    real: Clock

    async def counts(self) -> list[ReasonCountView]:
        """Return refused frames by reason, most first.

        Raises:
            StateUnavailableError, QuarantineError: a door's figures cannot be read.
        """
        ours, theirs = await asyncio.gather(
            self.headend.counts(now=self.real.now()), asyncio.to_thread(refused_counts, self.gateway)
        )
        totals = Counter(ours.refused) + theirs
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return [ReasonCountView(reason=r.value, words=WORDS[r], count=n) for r, n in ordered]

    async def page(self, *, limit: int, before: str | None = None, system_title: str | None = None) -> DeadLettersView:
        """Return refused frames, newest first.

        Args:
            limit: at most so many.
            before: ``next_before`` of an earlier page.
            system_title: only those that claim this hexadecimal title.

        Raises:
            ProblemError: ``before`` is not from an earlier page.
            StateUnavailableError, QuarantineError: a door's letters cannot be read.
        """
        places = _CURSOR.fullmatch(before or "_")
        if places is None:
            raise bad_request("There is no such page of refused frames.", "Begin with the newest ones.")
        at_headend, file_no, offset = places.groups()
        at_gateway = (int(file_no), int(offset)) if file_no else None
        wanted = limit if system_title is None else SEARCH_LETTERS
        ours, theirs = await asyncio.gather(
            self.headend.dead_letters(wanted, before=at_headend),
            asyncio.to_thread(newest_refused, self.gateway, limit=wanted, before=at_gateway),
        )
        found = [
            view
            for view in heapq.merge(map(_of_headend, ours), map(_of_gateway, theirs), key=lambda v: -v.refused_at)
            if system_title is None or view.system_title == system_title
        ][:limit]
        return DeadLettersView(letters=found, next_before=_cursor(found, before) if len(found) == limit else None)


def _cursor(letters: list[DeadLetterView], before: str | None) -> str:
    """Return where the next page goes on at both doors: behind the last letter of each, or where this one began."""
    at_headend, _, at_gateway = (before or "_").partition("_")
    for letter in letters:
        if letter.letter_id.startswith(_GATEWAY):
            at_gateway = letter.letter_id.removeprefix(_GATEWAY)
        else:
            at_headend = letter.letter_id
    return f"{at_headend}_{at_gateway}"


def _of_headend(found: RefusedFrame) -> DeadLetterView:
    return DeadLetterView(
        letter_id=found.letter_id,
        reason=found.reason.value,
        words=WORDS[found.reason],
        detail=found.detail,
        system_title=found.system_title,
        invocation_counter=found.invocation_counter,
        collector_id=found.collector_id,
        collected_at=epoch_s(found.collected_at),
        refused_at=epoch_s(found.refused_at),
        octets=found.octets,
        can_release=found.reason is RefusalReason.COUNTER_JUMP and found.released_at is None,
        released_at=epoch_s(found.released_at) if found.released_at else None,
    )


def _of_gateway(found: QuarantinedFrame) -> DeadLetterView:
    return DeadLetterView(
        letter_id=f"{_GATEWAY}{found.file_no}-{found.offset}",
        reason=found.reason.value,
        words=WORDS[found.reason],
        detail=f"refused by the gateway, before the head-end: frame {found.seq} of its collector",
        system_title=found.system_title,
        invocation_counter=None,
        collector_id=found.collector_id,
        collected_at=min(found.collected_at_ms // 1000, LAST_STAMP_S),
        refused_at=min(found.refused_at_ms // 1000, LAST_STAMP_S),
        octets=found.octets,
        can_release=False,
        released_at=None,
    )
