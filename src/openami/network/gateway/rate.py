"""How fast: a token bucket that slows a collector down instead of losing its frames, and how fast commands may go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from openami.contracts.command import CommandClass

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class TokenBucket:
    """Octets per second with a burst.

    Args:
        octets_per_s: sustained rate.
        burst_octets: what may come at once.
        now_s: monotonic time at the start.

    >>> bucket = TokenBucket(octets_per_s=100.0, burst_octets=200.0, now_s=0.0)
    >>> bucket.delay_s(octets=200, now_s=0.0), bucket.delay_s(octets=50, now_s=0.0), bucket.delay_s(octets=0, now_s=1.0)
    (0.0, 0.5, 0.0)
    """

    octets_per_s: float
    burst_octets: float
    now_s: float
    _level: float = 0.0

    def delay_s(self, *, octets: int, now_s: float) -> float:
        """Count octets that came now and return for how long to read no more."""
        self._level = max(0.0, self._level - (now_s - self.now_s) * self.octets_per_s) + octets
        self.now_s = now_s
        return max(0.0, (self._level - self.burst_octets) / self.octets_per_s)


@dataclass(frozen=True, slots=True)
class CommandRate:
    """How many commands of one class may pass.

    Args:
        per_s: sustained, commands a second.
        burst: at once.
    """

    per_s: float
    burst: int


COMMAND_RATES: Mapping[CommandClass, CommandRate] = {
    # A recovery reads hundreds of meters at once, several exchanges each.
    CommandClass.ASSOCIATION: CommandRate(200.0, 4_000),
    CommandClass.READ: CommandRate(500.0, 10_000),
    # The clocks of a cell after an outage.
    CommandClass.WRITE: CommandRate(10.0, 1_000),
    # Against a flood alone: what may be switched is the thresholds' affair, and reconnections have no count there.
    CommandClass.SWITCH: CommandRate(20.0, 2_000),
    # Blocks of an image to some hundred meters at a time.
    CommandClass.FIRMWARE: CommandRate(200.0, 2_000),
    CommandClass.KEY: CommandRate(5.0, 200),
}


class CommandRates:
    """Counts commands that pass, by class. A refused one costs nothing, so that a flood cannot hold the door shut.

    Args:
        rates: by class.
        file: where the counts outlive a restart, so that nobody gains a burst by one; None for nowhere.
    """

    def __init__(self, rates: Mapping[CommandClass, CommandRate] = COMMAND_RATES, *, file: Path | None = None) -> None:
        self._rates = rates
        self._file = file
        self._is_kept = True
        self._levels = dict.fromkeys(rates, 0.0)
        self._at_ms = dict.fromkeys(rates, 0)
        self._load()

    def takes(self, command_class: CommandClass, *, now_ms: int) -> bool:
        """Count a command now, unless its class has had enough; a class without a rate has none."""
        rate = self._rates.get(command_class)
        if rate is None:
            return False
        passed_s = max(0, now_ms - self._at_ms[command_class]) / 1000
        level = max(0.0, self._levels[command_class] - passed_s * rate.per_s)
        self._at_ms[command_class] = now_ms
        takes = level + 1 <= rate.burst
        self._levels[command_class] = level + takes
        self._is_kept = False
        return takes

    def give_back(self, command_class: CommandClass) -> None:
        """Take back what :meth:`takes` has just counted: the command could not be handed down."""
        self._levels[command_class] = max(0.0, self._levels[command_class] - 1)

    def keep(self) -> None:
        """Write the counts where they have changed. Blocking: some 200 octets; a disk that refuses is logged."""
        if self._file is None or self._is_kept:
            return
        rows = {kind.name.lower(): [self._levels[kind], self._at_ms[kind]] for kind in self._rates}
        draft = self._file.with_name(self._file.name + ".new")
        try:
            draft.write_text(json.dumps(rows))
            draft.replace(self._file)
        except OSError as error:
            _log.warning("gateway.rates_not_kept", cause=type(error).__name__)
            return
        self._is_kept = True

    def _load(self) -> None:
        """Read the counts. Of a file that is spoiled every class counts as full: its burst comes back with time."""
        if self._file is None or not self._file.exists():
            return
        try:
            rows = json.loads(self._file.read_bytes())
            found = {kind: (float(rows[kind.name.lower()][0]), int(rows[kind.name.lower()][1])) for kind in self._rates}
            if not all(
                0 <= level <= rate.burst for (level, _), rate in zip(found.values(), self._rates.values(), strict=True)
            ):
                raise ValueError("a level that cannot be")  # noqa: TRY301 - one of the ways to be spoiled
        except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
            _log.warning("gateway.rates_lost", cause=type(error).__name__)
            found = {kind: (float(rate.burst), self._file_ms()) for kind, rate in self._rates.items()}
        self._levels = {kind: level for kind, (level, _) in found.items()}
        self._at_ms = {kind: at_ms for kind, (_, at_ms) in found.items()}

    def _file_ms(self) -> int:
        try:
            return self._file.stat().st_mtime_ns // 1_000_000 if self._file else 0
        except OSError:
            return 0
