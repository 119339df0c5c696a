"""What a rule is: an id, the channels it speaks of, named thresholds with ranges, and a function that looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import CHANNELS, Channel
from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.rules.seen import DayView, Seen

Evidence = dict[str, int | float | str]
Thresholds = Mapping[str, float]


class ChannelGroup(StrEnum):
    """Channels that are judged by one set of rules."""

    DELIVERED = "delivered"
    RECEIVED = "received"
    NET = "net"
    REACTIVE = "reactive"
    VOLTAGE = "voltage"
    OTHER = "other"


_GROUPS = {
    Channel.DELIVERED: ChannelGroup.DELIVERED,
    Channel.DELIVERED_RATE_1: ChannelGroup.DELIVERED,
    Channel.DELIVERED_RATE_2: ChannelGroup.DELIVERED,
    Channel.RECEIVED: ChannelGroup.RECEIVED,
    Channel.NET: ChannelGroup.NET,
    Channel.REACTIVE_DELIVERED: ChannelGroup.REACTIVE,
    Channel.REACTIVE_RECEIVED: ChannelGroup.REACTIVE,
    Channel.VOLTAGE: ChannelGroup.VOLTAGE,
    Channel.VOLTAGE_L1: ChannelGroup.VOLTAGE,
    Channel.VOLTAGE_L2: ChannelGroup.VOLTAGE,
    Channel.VOLTAGE_L3: ChannelGroup.VOLTAGE,
}
MEASURED_ENERGY = frozenset({ChannelGroup.DELIVERED, ChannelGroup.RECEIVED})
ENERGY = MEASURED_ENERGY | {ChannelGroup.NET, ChannelGroup.REACTIVE}
ALL = frozenset(ChannelGroup)


def group_of(channel: Channel) -> ChannelGroup:
    """Return the group of a channel.

    >>> group_of(Channel.VOLTAGE_L1), group_of(Channel.CURRENT_L1)
    (<ChannelGroup.VOLTAGE: 'voltage'>, <ChannelGroup.OTHER: 'other'>)
    """
    return _GROUPS.get(channel, ChannelGroup.OTHER)


def is_energy(channel: Channel) -> bool:
    """Tell whether the channel's intervals add up."""
    return CHANNELS[channel].is_energy


class Spot(NamedTuple):
    """Where a rule found something: columns lo to hi (exclusive) of a row.

    A mild one is a warning even where the rule is set to fail: the rule itself knows that nothing is to be held.
    """

    row: int
    lo: int
    hi: int
    evidence: Mapping[str, int | float | str]
    is_mild: bool = False


Look = Callable[[Seen, Thresholds, BOOLS], Iterator[Spot]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A threshold: its meaning with unit, and the range in which it may be set."""

    says: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        id: stable for ever; findings carry it.
        says: one line for people.
        groups: the channel groups it speaks of.
        look: yields the spots on wanted days (S, D).
        bounds: its thresholds by name.
        is_about_cells: whether what it finds casts doubt on the values themselves: then a failure makes measured cells
            questionable. A rule about the place or the register leaves them as they are.
        does_refuse: a failing reading is not believed and is estimated; screening asks for it before anything else.
    """

    id: str
    says: str
    groups: frozenset[ChannelGroup]
    look: Look
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    is_about_cells: bool = False
    does_refuse: bool = False


def each_day(look: Callable[[DayView, Thresholds], Iterator[Spot]]) -> Look:
    """Return a rule that looks at one local day after the other, each with the days before it."""

    def looked(seen: Seen, limits: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
        for view in seen.views(wanted):
            yield from look(view, limits)

    return looked


def where(mask: npt.NDArray[Any]) -> list[int]:
    """Return the rows that a sieve leaves."""
    return [int(row) for row in np.flatnonzero(mask)]
