"""Who hears whom and through whom each device speaks: a tree to the collector with a second way for each device.

A link counts by the sendings that it is expected to take; the way with the fewest wins, as in the mesh protocols that
route by expected transmissions. Where a device hears nobody well enough it has no way and its frames are lost.

Source: De Couto et al., "A high-throughput path metric for multi-hop wireless routing", 2003 (ETX); RFC 6550 (RPL).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import MisuseError
from openami.network.radio.signal import SHADOWING_DB, heard_share

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
USABLE_SHARE = 0.5
"""A link that is heard less often is not used where there is any other."""
LAST_RESORT_SHARE = 0.05
NOBODY = -1
MAX_NODES = 5_000
"""Devices that one collector serves: more and the planning of everyone against everyone would not fit in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """One cell. All arrays are of length n + 1 with the collector at 0.

    Args:
        parent: next node on the way to the collector; ``NOBODY`` for the collector and for the unreachable.
        second: the other way; ``NOBODY`` where there is none. It is nearer to the collector: no frame circles.
        heard: share of fragments that the parent hears.
        second_heard: share that the second one hears.
        hops: how many links to the collector; 0 for the collector and the unreachable.
    """

    parent: I64
    second: I64
    heard: F64
    second_heard: F64
    hops: I64

    @property
    def size(self) -> int:
        """Nodes, the collector counted."""
        return len(self.parent)

    def reaches(self, node: int) -> bool:
        """Tell whether a device has a way to the collector."""
        return node == 0 or self.parent[node] != NOBODY

    def way(self, node: int) -> list[int]:
        """Return the nodes from a device to the collector, both counted; the device alone where it has no way."""
        way = [node]
        while self.parent[way[-1]] != NOBODY:
            way.append(int(self.parent[way[-1]]))
        return way


def plan_mesh(x_m: F64, y_m: F64, dice: np.random.Generator) -> Mesh:
    """Return the mesh of a cell.

    Args:
        x_m: (n + 1,) where the nodes are to the east [m], the collector first.
        y_m: (n + 1,) and to the north [m].
        dice: throws what stands between two nodes.

    Raises:
        MisuseError: more than ``MAX_NODES`` devices.
    """
    size = len(x_m)
    if size > MAX_NODES + 1:
        raise MisuseError(f"a mesh of {size - 1} devices, the limit is {MAX_NODES}")
    distance_m = np.hypot(x_m[:, None] - x_m[None, :], y_m[:, None] - y_m[None, :])
    shadow_db = np.triu(dice.normal(0.0, SHADOWING_DB, (size, size)), 1)
    share = heard_share(distance_m, shadow_db + shadow_db.T)
    np.fill_diagonal(share, 0.0)
    cost, parent = _cheapest_ways(share)
    second = np.array([_second(share[node], cost, node, int(parent[node])) for node in range(size)], dtype=np.int64)
    nodes = np.arange(size)
    heard = np.where(parent >= 0, share[nodes, parent], 0.0)
    second_heard = np.where(second >= 0, share[nodes, second], 0.0)
    return Mesh(parent, second, heard, second_heard, _hops(parent, cost))


def _cheapest_ways(share: F64) -> tuple[F64, I64]:
    """Return expected sendings to the collector and the next node, by Dijkstra over the links that are usable."""
    size = len(share)
    cost = np.full(size, np.inf)
    parent = np.full(size, NOBODY, dtype=np.int64)
    cost[0] = 0.0
    # A frame over a link takes sendings until it is heard, and again when the acknowledgement is not.
    step = np.where(share >= USABLE_SHARE, 1 / np.maximum(share, 1e-9) ** 2, np.inf)
    last_resort = (share >= LAST_RESORT_SHARE) & (share < USABLE_SHARE)
    step = np.where(last_resort, 10 / np.maximum(share, 1e-9) ** 2, step)
    queue = [(0.0, 0)]
    while queue:
        reached, node = heapq.heappop(queue)
        if reached > cost[node]:
            continue
        better = reached + step[node]
        for other in np.flatnonzero(better < cost).tolist():
            cost[other], parent[other] = better[other], node
            heapq.heappush(queue, (float(better[other]), other))
    return cost, parent


def _second(share: F64, cost: F64, node: int, parent: int) -> int:
    """Return the best-heard other node that is nearer to the collector than this one."""
    fit = (cost < cost[node]) & (share >= USABLE_SHARE)
    if parent >= 0:
        fit[parent] = False
    return int(np.argmax(np.where(fit, share, -1.0))) if fit.any() else NOBODY


def _hops(parent: I64, cost: F64) -> I64:
    hops = np.zeros(len(parent), dtype=np.int64)
    for node in np.argsort(cost).tolist():
        if parent[node] >= 0:
            hops[node] = hops[parent[node]] + 1
    return hops
