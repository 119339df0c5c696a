"""Commands and guards that tests of thresholds share."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from uuid import UUID

from openami.contracts.command import Command, CommandClass, CommandEffect, Refusal
from openami.contracts.threshold import BUILT_IN, Thresholds
from openami.contracts.threshold_word import ThresholdWord
from openami.kernel.ids import SystemTitle
from openami.network.gateway.thresholds import SwitchingGuard

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
APDU = b"\xdb\x08OAMclien" + bytes([27]) + b"\x30" + (5).to_bytes(4) + bytes(10 + 12)
"""Shaped as a sealed APDU is."""
_numbers = count(1)


def title(number: int) -> SystemTitle:
    return SystemTitle(b"OAM\0" + number.to_bytes(4))


def switch(
    meter: int,
    effect: CommandEffect = CommandEffect.DISCONNECT,
    *,
    order: int = 1,
    requester: int = 1,
    feeder: int = 1,
    load_w: int = 2_000,
    value: int = 5_000,
    **changes: object,
) -> Command:
    """A command to a meter, fresh each time."""
    fields: dict[str, object] = {
        "request_id": UUID(int=next(_numbers)),
        "title": title(meter),
        "command_class": CommandClass.SWITCH,
        "client_port": 1,
        "server_port": 1,
        "expires_at_ms": NOW_MS + 20_000,
        "approvals": (UUID(int=5), UUID(int=6)),
        "apdu": APDU,
        "digest": sha256(APDU).digest(),
        "effect": effect,
        "value": value if effect is CommandEffect.LIMIT else 0,
        "order_id": UUID(int=order),
        "requester": UUID(int=requester),
        "feeder": feeder,
        "load_w": load_w,
    }
    return Command(**(fields | changes))  # type: ignore[arg-type]  # fields of the test's own making


@dataclass
class Rig:
    """A guard that can be killed and started again, and what it said."""

    folder: Path | None = None
    thresholds: Thresholds = BUILT_IN
    now_ms: int = NOW_MS
    words: list[ThresholdWord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start it, or start it again as after a kill."""
        self.guard = SwitchingGuard(
            gateway_id=1, folder=self.folder, tell=self.words.append, now_ms=self.now_ms, thresholds=self.thresholds
        )

    def says(self, command: Command, *, is_taken: bool = True) -> Refusal | None:
        refusal = self.guard.admit(command, now_ms=self.now_ms)
        if refusal is None and is_taken:
            self.guard.handed_down(command, now_ms=self.now_ms)
        return refusal

    def passed(self, commands: list[Command]) -> int:
        return sum(self.says(command) is None for command in commands)
