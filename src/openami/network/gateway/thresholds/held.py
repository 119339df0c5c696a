"""Commands that were over a threshold, kept until two people release them or nobody asks for them any more.

What is kept is what the command was for, not its octets: those expire in minutes, and their counter is used up by the
next one. Once released, the same order may send the same to the same meter again, and that one passes; so releasing
means "this order's meter may be switched after all", once.

One JSON document, written whole or not at all. What a crash loses of the last second comes again, because whoever was
refused asks again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from openami.contracts.command import Command, CommandEffect
from openami.contracts.threshold_word import ThresholdRule
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.network.gateway.thresholds.judge import DAY_MS, Over

HELD = "held_commands.json"
"""Its name in the gateway's folder."""
MAX_HELD = 5_000
"""More are refused as those are and not kept: a storm of that size is one decision, not five thousand."""
MAX_FILE_OCTETS = 8 * 1024 * 1024
KEEP_MS = 7 * DAY_MS
"""After this, what nobody asked for again is forgotten."""
_log = structlog.get_logger(__name__)


class HeldFileError(OpenAmiError):
    """The file of held commands cannot be read."""


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """One kept command.

    Args:
        held_id: what people release: the request id of the first command that was held.
        title: the meter.
        effect: what it would have done.
        order_id: the order that asked; ``NO_ID`` for none.
        requester: who asked; ``NO_ID`` for nobody.
        feeder, load_w: as the command said.
        rule: over which threshold.
        reached, limit: what it would have been, and what may be.
        first_ms, last_ms: when it came first and last, real time.
        tries: how often it came.
    """

    held_id: UUID
    title: SystemTitle
    effect: CommandEffect
    order_id: UUID
    requester: UUID
    feeder: int
    load_w: int
    rule: ThresholdRule
    reached: int
    limit: int
    first_ms: int
    last_ms: int
    tries: int = 1

    @property
    def key(self) -> tuple[UUID, bytes, CommandEffect]:
        """What makes a later command the same one."""
        return self.order_id, self.title.octets, self.effect


class HeldCommands:
    """The kept commands of one gateway.

    Args:
        file: where they are; None for nowhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._is_kept = True
        self._held: dict[tuple[UUID, bytes, CommandEffect], HeldCommand] = {}
        if file is not None:
            try:
                self._held = {one.key: one for one in read_held(file)}
            except HeldFileError as error:
                _log.warning("gateway.held_lost", problem=str(error))

    def __iter__(self) -> Iterator[HeldCommand]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def of(self, command: Command) -> HeldCommand | None:
        """Return what is kept of the same command."""
        return self._held.get((command.order_id, command.title.octets, command.effect))

    def hold(self, command: Command, over: Over, *, now_ms: int) -> HeldCommand | None:
        """Keep a command; return it where it is new here, None where it was or there is no room."""
        known = self.of(command)
        self._is_kept = False
        if known is not None:
            self._held[known.key] = replace(known, last_ms=now_ms, tries=known.tries + 1)
            return None
        if len(self._held) >= MAX_HELD:
            return None
        one = HeldCommand(
            held_id=command.request_id,
            title=command.title,
            effect=command.effect,
            order_id=command.order_id,
            requester=command.requester,
            feeder=command.feeder,
            load_w=command.load_w,
            rule=over.reach.rule,
            reached=over.reach.reached,
            limit=over.reach.limit,
            first_ms=now_ms,
            last_ms=now_ms,
        )
        self._held[one.key] = one
        return one

    def let_go(self, one: HeldCommand) -> None:
        """Keep it no more: it passed."""
        if self._held.pop(one.key, None) is not None:
            self._is_kept = False

    def tidy(self, *, now_ms: int) -> None:
        """Forget what nobody has asked for in ``KEEP_MS``."""
        for key in [k for k, one in self._held.items() if one.last_ms + KEEP_MS <= now_ms]:
            del self._held[key]
            self._is_kept = False

    def keep(self) -> None:
        """Write the file where something changed. Blocking; a disk that refuses is logged and tried again."""
        if self._file is None or self._is_kept:
            return
        draft = self._file.with_name(self._file.name + ".new")
        try:
            draft.write_text(json.dumps([_row(one) for one in self._held.values()], separators=(",", ":")))
            draft.replace(self._file)
        except OSError as error:
            _log.warning("gateway.held_not_kept", cause=type(error).__name__)
            return
        self._is_kept = True


def read_held(file: Path) -> list[HeldCommand]:
    """Return the kept commands of a file, the oldest first; none where there is no file.

    Raises:
        HeldFileError: it cannot be read, or holds something else.
    """
    try:
        if not file.exists():
            return []
        if file.stat().st_size > MAX_FILE_OCTETS:
            raise HeldFileError(f"{file.name} is larger than it can be")
        return [_held(row) for row in json.loads(file.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OpenAmiError, RecursionError) as error:
        raise HeldFileError(f"{file.name} cannot be read: {type(error).__name__}") from error


def _row(one: HeldCommand) -> dict[str, Any]:
    names = ("held_id", "order_id", "requester", "title")
    return asdict(one) | {name: str(getattr(one, name)) for name in names} | {"effect": one.effect.name.lower()}


def _held(row: dict[str, Any]) -> HeldCommand:
    ids = {name: UUID(row[name]) for name in ("held_id", "order_id", "requester")}
    effect, rule = CommandEffect[row["effect"].upper()], ThresholdRule(row["rule"])
    return HeldCommand(**row | ids | {"title": SystemTitle.from_hex(row["title"]), "effect": effect, "rule": rule})
