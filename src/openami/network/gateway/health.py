"""What a gateway knows of its collectors' health, and when it says so to core.

A word is due when something changed that a person would act on, and otherwise every ``REFRESH_S``, so that an old
word means a silent gateway and not a silent collector. Words of one collector are held to one every ``CALM_S``: a
collector whose door flaps, or that lies, cannot flood the stream, and an opening between two words is kept in
``opened_at_ms``. Memory is one small record for each collector that has a certificate.

Source: requirement R5.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from openami.contracts.errors import ContractError
from openami.contracts.health import CollectorWord, HealthReport, LinkPresence, decode_report
from openami.network.link import LinkError, LinkMessage
from openami.network.ports import FrameStreamError, HealthBus

REFRESH_S = 900
"""Ten thousand collectors make eleven words a second."""
CALM_S = 10
MAX_WORDS = 256
"""Words handed to the bus at once."""
MOVED_E7 = 5_000
"""0.0005 degree, some 50 m: what a receiver that stands still may wander."""
SPOOL_STEPS = 10_000
"""Frames waiting are said again when they passed another so many."""
LOOK_EVERY_S = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HealthTelling:
    """Where the health of collectors is said.

    Args:
        bus: takes the words.
        real_now_ms: the host's clock, milliseconds since the epoch.
    """

    bus: HealthBus
    real_now_ms: Callable[[], int]


@dataclass(slots=True)
class _Known:
    word: CollectorWord
    told: CollectorWord | None = None
    told_at_ms: int = 0


class HealthBook:
    """The newest word on each collector, and which words are due.

    Args:
        gateway_id: who says them.
        since_ms: when this run of the gateway began, real time.
    """

    def __init__(self, gateway_id: int, *, since_ms: int = 0) -> None:
        self._gateway_id = gateway_id
        self._since_ms = since_ms
        self._known: dict[int, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def word_of(self, collector_id: int) -> CollectorWord | None:
        """Return what is known of a collector."""
        known = self._known.get(collector_id)
        return known.word if known else None

    def opened(self, collector_id: int, *, now_ms: int) -> None:
        """A collector has a connection."""
        self._note(collector_id, now_ms, presence=LinkPresence.OPEN, since_ms=now_ms, cause="")

    def gone(self, collector_id: int, *, heard_at_ms: int, cause: str, now_ms: int) -> None:
        """A collector's connection has ended."""
        self._note(collector_id, heard_at_ms, presence=LinkPresence.GONE, since_ms=now_ms, cause=cause)

    def heard(self, collector_id: int, message: LinkMessage, *, now_ms: int) -> None:
        """Take a heartbeat; an old collector's has no report.

        Raises:
            LinkError: its body is no report.
        """
        if not message.body:
            self._note(collector_id, now_ms)
            return
        try:
            report = decode_report(message.body)
        except ContractError as error:
            raise LinkError("health", str(error), offset=0) from error
        offset_ms = report.clock_ms - now_ms
        if report.is_enclosure_open:
            self._note(collector_id, now_ms, report=report, clock_offset_ms=offset_ms, opened_at_ms=now_ms)
        else:
            self._note(collector_id, now_ms, report=report, clock_offset_ms=offset_ms)

    def due(self, *, now_ms: int) -> list[CollectorWord]:
        """Return words to be said now, at most ``MAX_WORDS``, those about doors and places first."""
        waiting = [k for k in self._known.values() if _is_due(k, now_ms)]
        waiting.sort(key=lambda k: (not _is_alarming(k), k.told_at_ms))
        return [replace(k.word, told_at_ms=now_ms) for k in waiting[:MAX_WORDS]]

    def told(self, words: Sequence[CollectorWord]) -> None:
        """The stream has these words."""
        for word in words:
            known = self._known[word.collector_id]
            known.told, known.told_at_ms = word, word.told_at_ms

    def _note(self, collector_id: int, heard_at_ms: int, **changed: object) -> None:
        known = self._known.get(collector_id)
        if known is None:
            known = self._known[collector_id] = _Known(
                CollectorWord(
                    collector_id, self._gateway_id, LinkPresence.OPEN, heard_at_ms, heard_at_ms, 0, self._since_ms
                )
            )
        known.word = replace(known.word, heard_at_ms=heard_at_ms, **changed)  # type: ignore[arg-type] # named above


async def tell_health(book: HealthBook, telling: HealthTelling) -> None:
    """Say what is due every second, until cancelled; what the bus did not keep is said again."""
    while True:
        words = book.due(now_ms=telling.real_now_ms())
        if words:
            try:
                await telling.bus.tell(words)
                book.told(words)
            except FrameStreamError as error:
                _log.warning("gateway.health_not_told", problem=str(error))
        await asyncio.sleep(LOOK_EVERY_S)


def _is_due(known: _Known, now_ms: int) -> bool:
    waited_s = (now_ms - known.told_at_ms) / 1000
    if known.told is None or waited_s >= REFRESH_S:
        return True
    return waited_s >= CALM_S and (_is_alarming(known) or _has_changed(known.told, known.word))


def _is_alarming(known: _Known) -> bool:
    """Tell whether the untold part is one that a thief makes: a door, a place, a cell."""
    old, new = known.told, known.word
    if old is None or new.opened_at_ms > max(old.opened_at_ms, old.told_at_ms):
        return new.opened_at_ms > 0
    before, now = old.report, new.report
    if before is None or now is None:
        return False
    return before.cell != now.cell or _is_apart(before, now) or before.is_enclosure_open != now.is_enclosure_open


def _is_apart(one: HealthReport, other: HealthReport) -> bool:
    away = max(abs(one.latitude_e7 - other.latitude_e7), abs(one.longitude_e7 - other.longitude_e7))
    return away > MOVED_E7


def _has_changed(old: CollectorWord, new: CollectorWord) -> bool:
    if (old.presence, old.since_ms) != (new.presence, new.since_ms) or (old.report is None) != (new.report is None):
        return True
    before, now = old.report, new.report
    if before is None or now is None:
        return False
    return (
        before.is_on_backup_supply != now.is_on_backup_supply
        or before.certificate_days_left != now.certificate_days_left
        or before.uptime_s > now.uptime_s
        or before.spool_frames // SPOOL_STEPS != now.spool_frames // SPOOL_STEPS
    )
