"""The layers that hold the matrix, each by itself: what hosts let out, the firewall, what hosts let in."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.zones.matrix import ALLOWED, ZONES, Flow
from tests.zones.probing import Passed

OUTSIDE = "carrier"
"""Meters of the carrier's network are no hosts of ours: no rules of ours are on them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Rule sets that are loaded together and measured.

    Args:
        name: for people.
        loaded: arguments of :func:`tests.zones.probing.load`.
        senders, targets: the zones between which it must hold.
    """

    name: str
    loaded: dict[str, bool] = field(hash=False)
    senders: tuple[str, ...] = ZONES
    targets: tuple[str, ...] = ZONES

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each sender with each target."""
        return [(a, b) for a in self.senders for b in self.targets if a != b]

    @property
    def expected(self) -> set[Flow]:
        """What passes it, and nothing else."""
        return {flow for flow in ALLOWED if flow.source in self.senders and flow.target in self.targets}

    def passed(self, found: Passed) -> set[Flow]:
        """Return what a sweep says of this layer: what it let in, or where it lets nothing in, what it let through."""
        return found.taken if self.loaded.get("targets") else found.arrived


_OURS = tuple(zone for zone in ZONES if zone != OUTSIDE)
LAYERS = (
    Layer("hosts' rules, outward", {"senders": True}, senders=_OURS),
    Layer("firewall", {"firewall": True}),
    Layer("hosts' rules, inward", {"targets": True}, targets=_OURS),
    Layer("all together", {"senders": True, "firewall": True, "targets": True}),
)
