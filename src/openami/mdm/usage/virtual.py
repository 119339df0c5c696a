"""Virtual channels: a series computed from others by adding and subtracting. Pure; nothing of it is stored.

Net (delivered less received) of one place, the sum of a campus, a main meter less its sub-meters. An interval is
missing where one of its parts is, estimated where one of them is, and its band is as wide as all of theirs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.quality import Method, QualityState
from openami.kernel.errors import OpenAmiError
from openami.mdm.usage.series import IntervalSeries
from openami.mdm.vee.grid import I64

MAX_TERMS = 1_000
"""A campus or a feeder's transformers; beyond, sum groups (:mod:`openami.mdm.usage.aggregate`)."""
_WORST_FIRST = (QualityState.QUESTIONABLE, QualityState.ESTIMATED, QualityState.PARTIAL, QualityState.FORECAST)


class VirtualChannelError(OpenAmiError):
    """A virtual channel that cannot be computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Term:
    """One part: a channel of a place, added (1) or subtracted (-1)."""

    sign: int
    service_point_id: UUID
    channel: Channel

    def __post_init__(self) -> None:
        if self.sign not in {1, -1}:
            raise VirtualChannelError(f"a term is added (1) or subtracted (-1), not {self.sign}")


@dataclass(frozen=True, slots=True)
class VirtualChannel:
    """A named sum of terms of one unit.

    Args:
        name: for people and files.
        terms: at least one; each place and channel once.
    """

    name: str
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.terms) <= MAX_TERMS:
            raise VirtualChannelError(f"{self.name}: has {len(self.terms)} terms, 1 to {MAX_TERMS} can be summed")
        if len({(t.service_point_id, t.channel) for t in self.terms}) != len(self.terms):
            raise VirtualChannelError(
                f"{self.name}: a channel of a place occurs twice, so its energy would count twice"
            )
        units = {(CHANNELS[t.channel].unit, CHANNELS[t.channel].power_of_ten) for t in self.terms}
        if len(units) != 1 or not CHANNELS[self.terms[0].channel].is_energy:
            raise VirtualChannelError(f"{self.name}: only energies of one unit can be added")


def net(service_point_id: UUID) -> VirtualChannel:
    """Return what a place takes from the grid less what it gives back: positive is taken."""
    terms = (Term(1, service_point_id, Channel.DELIVERED), Term(-1, service_point_id, Channel.RECEIVED))
    return VirtualChannel("net", terms)


def computed(definition: VirtualChannel, parts: Sequence[IntervalSeries], *, as_channel: Channel) -> IntervalSeries:
    """Return the virtual series over every interval that any part has.

    Args:
        definition: what is added and subtracted.
        parts: the series of the terms, in their order.
        as_channel: whose unit the result has, for example NET.

    Raises:
        VirtualChannelError: parts of unequal interval length, or intervals that do not fall together.
    """
    if len(parts) != len(definition.terms):
        raise VirtualChannelError(f"{definition.name}: {len(parts)} series for {len(definition.terms)} terms")
    lengths = {p.interval_s for p in parts if len(p)} or {parts[0].interval_s}
    if len(lengths) != 1:
        raise VirtualChannelError(f"{definition.name}: intervals of {sorted(lengths)} s cannot be added one by one")
    interval_s = lengths.pop()
    start_s = np.unique(np.concatenate([p.start_s for p in parts]))
    if len(start_s) > 1 and int(np.diff(start_s).min()) < interval_s:
        raise VirtualChannelError(f"{definition.name}: the parts' intervals begin at different instants")
    shape = (len(parts), len(start_s))
    value, low, high = (np.zeros(shape, np.int64) for _ in range(3))
    state = np.full(shape, QualityState.MISSING, np.uint8)
    preliminary = np.zeros(len(start_s), bool)
    for row, (term, part) in enumerate(zip(definition.terms, parts, strict=True)):
        at = np.searchsorted(start_s, part.start_s)
        value[row, at] = term.sign * part.value
        ends = (part.low, part.high) if term.sign > 0 else (-part.high, -part.low)
        low[row, at], high[row, at] = ends
        state[row, at] = part.quality
        preliminary[at] |= part.preliminary
    missing = (state == QualityState.MISSING).any(axis=0)
    quality = _joined_state(state)

    def total(matrix: I64) -> I64:
        return np.where(missing, 0, matrix.sum(axis=0))

    return IntervalSeries(
        service_point_id=definition.terms[0].service_point_id,
        channel=as_channel,
        interval_s=interval_s,
        start_s=start_s,
        value=total(value),
        quality=quality,
        method=np.where(missing, Method.NONE, Method.CALCULATED).astype(np.uint8),
        low=total(low),
        high=total(high),
        preliminary=preliminary,
    )


def _joined_state(
    state: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the state of each sum: DERIVED where every part is sound, else what keeps it from being so."""
    joined = np.full(state.shape[1], QualityState.DERIVED, np.uint8)
    for worse in reversed(_WORST_FIRST):
        joined[(state == worse).any(axis=0)] = worse
    joined[(state == QualityState.MISSING).any(axis=0)] = QualityState.MISSING
    return joined
