"""Dead letters: frames that were refused, with the reason, kept for people to look at. Never holds plaintext."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from openami.contracts.errors import ContractError


class RefusalReason(StrEnum):
    """Why a frame was refused. Staff screens print these in words."""

    UNKNOWN_TITLE = "unknown_title"
    BAD_ENVELOPE = "bad_envelope"
    DOWNGRADE = "downgrade"
    BAD_TAG = "bad_tag"
    REPLAY = "replay"
    COUNTER_JUMP = "counter_jump"
    COUNTER_LOWERED = "counter_lowered"
    """Verified and new by its own clock, and its counter is far below: a meter that was reset, or a second one."""
    UNKNOWN_LAYOUT = "unknown_layout"
    BAD_CONTENT = "bad_content"
    OVERSIZE = "oversize"
    STOLEN_COLLECTOR = "stolen_collector"
    OVER_RATE = "over_rate"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused frame.

    Args:
        letter_id: stream sequence and position in the batch, ``"<seq>-<index>"``: a replay collapses.
        reason: why.
        detail: one sentence for staff; no key, no reading.
        system_title: hex of the title it claimed.
        invocation_counter: the counter it claimed, or None.
        collector_id: who carried it.
        collected_at_ms: when the collector took it.
        refused_at_ms: when it was refused, domain time.
        frame: the sealed octets as they came.
    """

    letter_id: str
    reason: RefusalReason
    detail: str
    system_title: str
    invocation_counter: int | None
    collector_id: int
    collected_at_ms: int
    refused_at_ms: int
    frame: bytes

    def encode(self) -> bytes:
        """Return the letter as JSON."""
        return json.dumps({**asdict(self), "frame": self.frame.hex()}, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, octets: bytes) -> DeadLetter:
        """Read a letter.

        Raises:
            ContractError: not a letter.
        """
        try:
            row = json.loads(octets)
            row["reason"] = RefusalReason(row["reason"])
            row["frame"] = bytes.fromhex(row["frame"])
            return cls(**row)
        except (ValueError, KeyError, TypeError) as error:
            raise ContractError(f"dead letter: {type(error).__name__}") from error
