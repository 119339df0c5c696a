"""What the gateway says when a threshold comes near or is reached. Core hears it; people are called by it.

JSON, one document a word. It names orders, people and meters by their random ids and titles, and nobody's name.

Source: requirements R3.6, R7.4 (alerts within 60 s).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from uuid import UUID

from openami.contracts.command import LAST_MS, MAX_U32, CommandEffect
from openami.contracts.errors import ContractError
from openami.kernel.ids import BadSystemTitleError, SystemTitle

MAX_WORD_OCTETS = 4_096


class ThresholdRule(StrEnum):
    """Which threshold. Staff screens print these in words."""

    REQUESTER_HOUR = "requester_hour"
    UTILITY_HOUR = "utility_hour"
    UTILITY_DAY = "utility_day"
    METER_DAY = "meter_day"
    FEEDER_METERS = "feeder_meters"
    FEEDER_LOAD = "feeder_load"
    FEEDER_RAMP = "feeder_ramp"
    CLOCK = "clock"
    LIMIT = "limit"


class WordKind(StrEnum):
    """What happened.

    WARNED: a command passed, and the threshold is near. HELD: one is kept aside until two people release it. REFUSED:
    one was turned away and is not kept: a feeder's, which may come again, or a value that never passes. RELEASED: one
    that was held passed. RENEWED: other thresholds hold from now on. BLIND: what passes cannot be written down, so
    that nothing passes.
    """

    WARNED = "warned"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    RENEWED = "renewed"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class ThresholdWord:
    """One word.

    Args:
        kind: what happened.
        at_ms: when, real time, milliseconds since the epoch.
        gateway_id: who says it.
        version: of the thresholds that were in force.
        rule: which threshold; None of a RENEWED or BLIND.
        reached: count or load (W) that would have been, or the value that was asked for.
        limit: what may be.
        held_id: what people release; the request id of the first command that was held.
        title: the meter; None of a RENEWED or BLIND.
        effect: of the command.
        order_id, requester, feeder, load_w: as the command has them.
    """

    kind: WordKind
    at_ms: int
    gateway_id: int
    version: int
    rule: ThresholdRule | None = None
    reached: int = 0
    limit: int = 0
    held_id: UUID | None = None
    title: SystemTitle | None = None
    effect: CommandEffect = CommandEffect.NONE
    order_id: UUID | None = None
    requester: UUID | None = None
    feeder: int = 0
    load_w: int = 0

    def encode(self) -> bytes:
        """Return the word as JSON."""
        row = asdict(self)
        row |= {"effect": self.effect.name.lower(), "title": str(self.title) if self.title else None}
        row |= {name: str(row[name]) if row[name] else None for name in ("held_id", "order_id", "requester")}
        return json.dumps(row, separators=(",", ":")).encode()


def decode_word(octets: bytes) -> ThresholdWord:
    """Read a word.

    Raises:
        ContractError: not a word.
    """
    if len(octets) > MAX_WORD_OCTETS:
        raise ContractError(f"threshold word: {len(octets)} octets, at most {MAX_WORD_OCTETS}")
    try:
        row = json.loads(octets)
        row["kind"] = WordKind(row["kind"])
        row["rule"] = None if row["rule"] is None else ThresholdRule(row["rule"])
        row["effect"] = CommandEffect[str(row["effect"]).upper()]
        row["title"] = None if row["title"] is None else SystemTitle.from_hex(row["title"])
        row |= {name: UUID(row[name]) if row[name] else None for name in ("held_id", "order_id", "requester")}
        word = ThresholdWord(**row)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadSystemTitleError) as error:
        raise ContractError(f"threshold word: {type(error).__name__}") from error
    numbers = (word.at_ms, word.gateway_id, word.version, word.reached, word.limit, word.feeder, word.load_w)
    if any(type(n) is not int for n in numbers) or not 0 <= word.at_ms <= LAST_MS or not 0 <= word.feeder <= MAX_U32:
        raise ContractError("threshold word: a number that is none")
    return word
