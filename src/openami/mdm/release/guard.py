"""The differencing guard: no combination of releases tells the total of a group below the floor. Pure.

Released sets cut the customers into *cells*: two customers are in one cell if the same releases hold them. Whatever can
be computed from the released totals by adding and subtracting gives every customer of a cell the same weight, since
each total does. So if no cell is below the floor, no group below the floor can be isolated, by any number of releases
and any arithmetic on them. A release that would make a cell below the floor is refused.

Releases that overlap in time are judged together, whatever their channel and grain; such that do not are apart. What
was released is kept and shown again, never computed anew: the difference of two computations would tell a correction.

Source: research on query-set overlap (Dobkin, Jones, Lipton 1979; Chin and Ozsoyoglu 1982), and the argument above.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.mdm.release.preset import Preset


class ReleaseRefusedError(OpenAmiError):
    """A total that may not leave. The text says which rule, and names no customer and no number of use."""


@dataclass(frozen=True, slots=True)
class Released:
    """What left before: who was in it, and when it speaks of.

    Args:
        customers: every customer in the total.
        period: the time of the data.
        floor: of the rule it was judged by.
    """

    customers: frozenset[UUID]
    period: Period
    floor: int


def cells(sets: Sequence[frozenset[UUID]]) -> dict[frozenset[int], set[UUID]]:
    """Return the customers in at least one of the sets, by the numbers of the sets that hold them."""
    by_customer: dict[UUID, set[int]] = defaultdict(set)
    for number, members in enumerate(sets):
        for customer in members:
            by_customer[customer].add(number)
    found: dict[frozenset[int], set[UUID]] = defaultdict(set)
    for customer, numbers in by_customer.items():
        found[frozenset(numbers)].add(customer)
    return dict(found)


def require_admitted(usage: Mapping[UUID, int], preset: Preset) -> None:
    """Pass if the group itself is large and even enough. Raises ReleaseRefusedError."""
    if len(usage) < preset.floor:
        raise ReleaseRefusedError(
            f"the group has fewer than {preset.floor} customers ({preset.name}): choose a larger one"
        )
    if not preset.admits(list(usage.values())):
        raise ReleaseRefusedError(
            f"one customer has too large a share of the group's use ({preset.name}): widen the group"
        )


def require_releasable(usage: Mapping[UUID, int], period: Period, preset: Preset, earlier: Sequence[Released]) -> None:
    """Pass if the total of these customers may leave.

    Args:
        usage: use of each customer over the period (magnitude, counts).
        period: the time of the data.
        preset: the rule.
        earlier: everything that was released.

    Raises:
        ReleaseRefusedError: it may not.
    """
    require_admitted(usage, preset)
    customers = frozenset(usage)
    near = [r for r in earlier if r.period.intersection(period) is not None]
    floor = max([preset.floor, *(r.floor for r in near if r.customers & customers)])
    for holders, cell in cells([*(r.customers for r in near), customers]).items():
        touched = len(near) in holders or any(near[n].customers & customers for n in holders)
        if not touched:
            continue
        if len(cell) < floor:
            raise ReleaseRefusedError(
                f"put together with what was released before, it would tell the use of fewer than {floor} customers: "
                "choose the same group as before, or one that differs by more"
            )
        known = [usage[c] for c in cell if c in usage]
        if len(known) == len(cell) and not preset.admits(known):
            raise ReleaseRefusedError(
                "put together with what was released before, one customer would have too large a share of a part of it "
                f"({preset.name}): choose the same group as before"
            )
