"""How much may be switched: the thresholds that two people sign and the gateway holds commands to.

Counts and loads are per sliding window of real time. A window that says 50 an hour lets 50 pass in any hour, not 50 in
each hour of the clock. Reconnections have no count at all: a paid service is not kept waiting because others paid too.
They have a ramp by load, because a feeder takes up only so much at once.

The body is JSON, as people write and read it; unknown keys and values out of range are refused with their place, so a
slip of the pen does not open a door. The defaults hold until the first signed ones come; they are ours and need an
operator's forecast.

Source: requirements R3.6 (thresholds at the gateway), R3.7; the threshold anomaly detection of the British smart
metering code, whose warn-then-quarantine levels these are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from openami.contracts.command import MAX_U32, SWITCHING, CommandEffect
from openami.contracts.errors import ContractError

MAX_THRESHOLDS_OCTETS = 256 * 1024
MAX_FEEDERS = 4_000
"""Feeders with figures of their own: 256 KiB of JSON hold them."""
MAX_COUNT = 1_000_000
COUNTED = SWITCHING - {CommandEffect.RECONNECT}
"""Effects that are counted: each takes supply from somebody, or may."""
FEEDER_SHARE = 0.02
"""Of a feeder's meters, in a quarter of an hour."""
RAMP_SHARE = 0.05
"""Of a feeder's load, in five minutes."""


@dataclass(frozen=True, slots=True)
class EffectLimits:
    """How often one effect may pass.

    Args:
        requester_hour: commands of one requester in any hour.
        utility_hour, utility_day: commands of all requesters in any hour and any day.
    """

    requester_hour: int
    utility_hour: int
    utility_day: int


@dataclass(frozen=True, slots=True)
class FeederSize:
    """What a feeder is.

    Args:
        meters: how many it serves.
        load_w: its usual peak, W.
    """

    meters: int
    load_w: int


def _default_effects() -> dict[CommandEffect, EffectLimits]:
    some = EffectLimits(requester_hour=10, utility_hour=50, utility_day=100)
    # Nobody knows what a script does before it has done it.
    few = EffectLimits(requester_hour=2, utility_hour=5, utility_day=10)
    return {CommandEffect.DISCONNECT: some, CommandEffect.LIMIT: some, CommandEffect.OTHER: few}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One set of thresholds.

    Args:
        version: what people call it; larger is newer; 0 for the built-in ones.
        effects: limits of each effect in ``COUNTED``.
        meter_day: commands to one meter in any day; a reconnection counts and is not refused.
        feeder_meters: commands to one feeder in any quarter of an hour, where its size is not known.
        feeder_load_w: load of one feeder that may be taken off in any quarter of an hour, W.
        ramp_w: load of one feeder that may be put on in any five minutes, W, where its size is not known.
        assumed_load_w: of a command that names none, W.
        warn_percent: share of a threshold at which people are warned, 1 to 100 %.
        clock_free_s: how far from the right time a clock may be set without an approval, s.
        clock_most_s: how far at all, s.
        limit_least: lowest load limit that may be set, in the limiter's unit; less than this is a disconnection.
        feeders: sizes of feeders by number.
    """

    version: int = 0
    effects: Mapping[CommandEffect, EffectLimits] = field(default_factory=_default_effects)
    meter_day: int = 2
    feeder_meters: int = 20
    feeder_load_w: int = 1_000_000
    ramp_w: int = 250_000
    assumed_load_w: int = 5_000
    warn_percent: int = 80
    clock_free_s: int = 300
    clock_most_s: int = 3_600
    limit_least: int = 1_000
    feeders: Mapping[int, FeederSize] = field(default_factory=dict)

    def meters_of_feeder(self, feeder: int) -> int:
        """Return how many meters of a feeder may be switched off in a quarter of an hour; one always may."""
        size = self.feeders.get(feeder)
        return self.feeder_meters if size is None else max(1, int(size.meters * FEEDER_SHARE))

    def ramp_of_feeder(self, feeder: int) -> int:
        """Return how much load of a feeder may be put on in five minutes, W."""
        size = self.feeders.get(feeder)
        return self.ramp_w if size is None else max(1, int(size.load_w * RAMP_SHARE))

    def encode(self) -> bytes:
        """Return them as JSON."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        document["effects"] = {e.name.lower(): asdict(limits) for e, limits in self.effects.items()}
        document["feeders"] = {str(number): asdict(size) for number, size in self.feeders.items()}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


BUILT_IN = Thresholds()
_RANGES = {
    "version": (0, MAX_U32),
    "meter_day": (0, MAX_COUNT),
    "feeder_meters": (0, MAX_COUNT),
    "feeder_load_w": (0, MAX_U32),
    "ramp_w": (1, MAX_U32),
    "assumed_load_w": (1, MAX_U32),
    "warn_percent": (1, 100),
    "clock_free_s": (0, 86_400),
    "clock_most_s": (0, 86_400),
    "limit_least": (0, MAX_U32),
}


def decode_thresholds(octets: bytes) -> Thresholds:
    """Read thresholds. A key that is left out has its built-in value.

    Raises:
        ContractError: not JSON, a key that there is not, or a value out of range; the text names the place.
    """
    if len(octets) > MAX_THRESHOLDS_OCTETS:
        raise ContractError(f"thresholds: {len(octets)} octets, at most {MAX_THRESHOLDS_OCTETS}")
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ContractError("thresholds: not JSON") from error
    table = _table(document, "thresholds", {*_RANGES, "effects", "feeders"})
    numbers = {name: _number(table[name], name, *_RANGES[name]) for name in _RANGES if name in table}
    effects = _default_effects() | _effects(table.get("effects", {}))
    found = Thresholds(**numbers, effects=effects, feeders=_feeders(table.get("feeders", {})))
    if found.clock_free_s > found.clock_most_s:
        raise ContractError("thresholds: clock_free_s is beyond clock_most_s")
    return found


def _effects(document: Any) -> dict[CommandEffect, EffectLimits]:
    names = {e.name.lower(): e for e in COUNTED}
    limits = {f.name for f in fields(EffectLimits)}
    found = {}
    for name, row in _table(document, "effects", set(names)).items():
        table = _table(row, f"effects.{name}", limits)
        if missing := sorted(limits - set(table)):
            raise ContractError(f"thresholds: effects.{name} lacks {', '.join(missing)}")
        counts = {key: _number(value, f"effects.{name}.{key}", 0, MAX_COUNT) for key, value in table.items()}
        found[names[name]] = EffectLimits(**counts)
    return found


def _feeders(document: Any) -> dict[int, FeederSize]:
    rows = _table(document, "feeders", None)
    if len(rows) > MAX_FEEDERS:
        raise ContractError(f"thresholds: {len(rows)} feeders, at most {MAX_FEEDERS}")
    found = {}
    for name, row in rows.items():
        if not (name.isascii() and name.isdecimal() and 1 <= int(name[:11]) <= MAX_U32):
            raise ContractError(f"thresholds: feeders.{name[:20]} is no feeder's number")
        table = _table(row, f"feeders.{name}", {"meters", "load_w"})
        found[int(name)] = FeederSize(
            meters=_number(table.get("meters"), f"feeders.{name}.meters", 1, MAX_COUNT),
            load_w=_number(table.get("load_w"), f"feeders.{name}.load_w", 1, MAX_U32),
        )
    return found


def _table(document: Any, place: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ContractError(f"thresholds: {place} is no table")
    if known is not None and (strange := sorted(set(document) - known)):
        raise ContractError(f"thresholds: {place} has no key {strange[0][:40]}; it has {', '.join(sorted(known))}")
    return document


def _number(value: Any, place: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ContractError(f"thresholds: {place} must be a whole number from {least} to {most}")
    return value
