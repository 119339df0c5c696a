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
from dataclasses import dataclass

import structlog

from openami.contracts.errors import ContractError
from openami.contracts.health import CollectorWord, HealthReport, LinkPresence, decode_report, encode_report
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
_CHANGED, _ALARMING = 1, 2
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
    """A collector in a few hundred octets: there may be twenty thousand. Reports stay packed until they are said."""

    is_open: bool
    since_ms: int
    heard_at_ms: int
    cause: str = ""
    opened_at_ms: int = 0
    clock_offset_ms: int = 0
    report: bytes = b""
    told_at_ms: int = 0
    told_is_open: bool = True
    told_since_ms: int = 0
    told_report: bytes = b""
    news: int = 0
    refused: int = 0
    set_aside: int = 0
    refused_at_ms: int = 0
    told_refused: int = 0


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
        return self._word(collector_id, known, 0) if known else None

    def opened(self, collector_id: int, *, now_ms: int) -> None:
        """A collector has a connection."""
        known = self._of(collector_id, now_ms)
        known.is_open, known.since_ms, known.heard_at_ms, known.cause = True, now_ms, now_ms, ""
        known.news = _news(known)

    def gone(self, collector_id: int, *, heard_at_ms: int, cause: str, now_ms: int) -> None:
        """A collector's connection has ended."""
        known = self._of(collector_id, now_ms)
        known.is_open, known.since_ms, known.heard_at_ms, known.cause = False, now_ms, heard_at_ms, cause
        known.news = _news(known)

    def heard(self, collector_id: int, message: LinkMessage, *, now_ms: int) -> None:
        """Take a heartbeat; an old collector's has no report.

        Raises:
            LinkError: its body is no report.
        """
        known = self._of(collector_id, now_ms)
        known.heard_at_ms = now_ms
        if not message.body:
            return
        try:
            report = decode_report(message.body)
        except ContractError as error:
            raise LinkError("health", str(error), offset=0) from error
        known.report = encode_report(report)
        known.clock_offset_ms = report.clock_ms - now_ms
        if report.is_enclosure_open:
            known.opened_at_ms = now_ms
        known.news = _news(known)

    def refused(self, collector_id: int, *, refused: int, set_aside: int, now_ms: int) -> None:
        """Frames of a collector went to the quarantine: those that nobody may take, and those that may pass later."""
        known = self._of(collector_id, now_ms)
        known.refused, known.set_aside = known.refused + refused, known.set_aside + set_aside
        known.refused_at_ms = now_ms
        known.news = _news(known)

    def due(self, *, now_ms: int) -> list[CollectorWord]:
        """Return words to be said now, at most ``MAX_WORDS``, those about doors and places first."""
        calm_ms, refresh_ms = CALM_S * 1000, REFRESH_S * 1000
        waiting = [
            (-known.news, known.told_at_ms, collector_id)
            for collector_id, known in self._known.items()
            if now_ms - known.told_at_ms >= (calm_ms if known.news else refresh_ms) or not known.told_at_ms
        ]
        waiting.sort()
        return [
            self._word(collector_id, self._known[collector_id], now_ms) for _, _, collector_id in waiting[:MAX_WORDS]
        ]

    def told(self, words: Sequence[CollectorWord]) -> None:
        """The stream has these words."""
        for word in words:
            known = self._known[word.collector_id]
            packed = encode_report(word.report) if word.report else b""
            # The same octets are kept once.
            known.told_report = known.report if packed == known.report else packed
            known.told_is_open, known.told_since_ms = word.presence is LinkPresence.OPEN, word.since_ms
            known.told_at_ms, known.told_refused = word.told_at_ms, word.refused
            known.news = _news(known)

    def _of(self, collector_id: int, now_ms: int) -> _Known:
        known = self._known.get(collector_id)
        if known is None:
            known = self._known[collector_id] = _Known(is_open=True, since_ms=now_ms, heard_at_ms=now_ms)
        return known

    def _word(self, collector_id: int, known: _Known, now_ms: int) -> CollectorWord:
        return CollectorWord(
            collector_id=collector_id,
            gateway_id=self._gateway_id,
            presence=LinkPresence.OPEN if known.is_open else LinkPresence.GONE,
            since_ms=known.since_ms,
            heard_at_ms=known.heard_at_ms,
            told_at_ms=now_ms,
            gateway_since_ms=self._since_ms,
            cause=known.cause,
            opened_at_ms=known.opened_at_ms,
            clock_offset_ms=known.clock_offset_ms,
            report=decode_report(known.report) if known.report else None,
            refused=known.refused,
            set_aside=known.set_aside,
            refused_at_ms=known.refused_at_ms,
        )


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


def _news(known: _Known) -> int:
    """Return how urgently something is to be told: 2 what a thief makes (a door, a place, a cell), 1 another change."""
    if known.opened_at_ms > known.told_at_ms or _tens(known.refused) > _tens(known.told_refused):
        return _ALARMING
    if not known.report or not known.told_report:
        return _CHANGED if known.report or (known.is_open, known.since_ms) != _told_link(known) else 0
    before, now = decode_report(known.told_report), decode_report(known.report)
    if before.cell != now.cell or _is_apart(before, now) or before.is_enclosure_open != now.is_enclosure_open:
        return _ALARMING
    return _CHANGED if (known.is_open, known.since_ms) != _told_link(known) or _has_changed(before, now) else 0


def _told_link(known: _Known) -> tuple[bool, int]:
    return known.told_is_open, known.told_since_ms


def _is_apart(one: HealthReport, other: HealthReport) -> bool:
    away = max(abs(one.latitude_e7 - other.latitude_e7), abs(one.longitude_e7 - other.longitude_e7))
    return away > MOVED_E7


def _has_changed(before: HealthReport, now: HealthReport) -> bool:
    return (
        before.is_on_backup_supply != now.is_on_backup_supply
        or before.certificate_days_left != now.certificate_days_left
        or before.uptime_s > now.uptime_s
        or before.spool_frames // SPOOL_STEPS != now.spool_frames // SPOOL_STEPS
    )


def _tens(count: int) -> int:
    """Return how often a count of refused frames is to be told: at ten, a hundred, a thousand and so on."""
    return len(str(count)) - 1
