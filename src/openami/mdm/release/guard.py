"""The differencing guard: no combination of releases tells the total of a group below the floor. Pure.

Released sets cut the customers into *cells*: two customers are in one cell if the same releases hold them. Whatever can
be computed from the released totals by adding and subtracting gives every customer of a cell the same weight, since
each total does. So if no cell is below the floor, no group below the floor can be isolated, by any number of releases
and any arithmetic on them. A release that would make a cell below the floor is refused.

A customer may have several places, and a place may be in a group for a part of the time only. So cells are looked at a
second time, at every instant: there they consist of places with whose they are, and each must hold places of as many
customers as the floor says. Else two totals of the same customers would tell a second place of one of them, or the
days on which only one of them was left.

Releases that overlap in time are judged together, whatever their channel and grain; such that do not are apart. What
was released is kept and shown again, never computed anew: the difference of two computations would tell a correction.

Source: research on query-set overlap (Dobkin, Jones, Lipton 1979; Chin and Ozsoyoglu 1982), and the argument above.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.mdm.release.preset import Preset


class ReleaseRefusedError(OpenAmiError):
    """A total that may not leave. The text says which rule, and names no customer and no number of use."""


@dataclass(frozen=True, slots=True)
class Part:
    """A place in a total for a time.

    Args:
        service_point_id: the place.
        customer: whose it was.
        period: when.
    """

    service_point_id: UUID
    customer: UUID
    period: Period


@dataclass(frozen=True, slots=True)
class Released:
    """What left before: who was in it, and when it speaks of.

    Args:
        customers: every customer in the total.
        period: the time of the data.
        floor: of the rule it was judged by.
        parts: the places in the total; empty where only customers were kept.
    """

    customers: frozenset[UUID]
    period: Period
    floor: int
    parts: frozenset[Part] = frozenset()


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


def fewest(sets: Sequence[Collection[Part]], period: Period) -> Iterator[tuple[int, int]]:
    """Yield each cell of places that there is at some instant, and how many customers it has then.

    Args:
        sets: places of totals.
        period: only instants of it.

    Yields:
        The cell as a bit for each set that holds it, and its customers; again whenever it changed.
    """
    changes: dict[datetime, list[tuple[int, bool, Part]]] = defaultdict(list)
    for number, parts in enumerate(sets):
        for part in parts:
            inside = part.period.intersection(period)
            if inside is not None:
                changes[inside.start].append((1 << number, True, part))
                changes[inside.end].append((1 << number, False, part))
    held: dict[tuple[UUID, UUID], int] = defaultdict(int)
    cells_now: dict[int, Counter[UUID]] = defaultdict(Counter)
    for at in sorted(changes):
        touched = set()
        # What ends goes first: a place may be in a set for two spells that meet.
        for bit, begins, part in sorted(changes[at], key=lambda change: change[1]):
            key = (part.service_point_id, part.customer)
            was, now = held[key], held[key] | bit if begins else held[key] & ~bit
            held[key] = now
            left = cells_now[was]
            left[part.customer] -= 1
            if left[part.customer] <= 0:
                del left[part.customer]
            cells_now[now][part.customer] += 1
            touched |= {was, now}
        for cell in touched - {0}:
            if cells_now[cell]:
                yield cell, len(cells_now[cell])


def require_admitted(usage: Mapping[UUID, int], preset: Preset, parts: Collection[Part] = ()) -> None:
    """Pass if the group itself is large and even enough, at every instant. Raises ReleaseRefusedError."""
    if len(usage) < preset.floor:
        raise ReleaseRefusedError(
            f"the group has fewer than {preset.floor} customers ({preset.name}): choose a larger one"
        )
    whole = [Period(min(p.period.start for p in parts), max(p.period.end for p in parts))] if parts else []
    if any(count < preset.floor for span in whole for _, count in fewest([parts], span)):
        raise ReleaseRefusedError(
            f"for a part of the time the group has fewer than {preset.floor} customers ({preset.name}): choose days on "
            "which it was larger"
        )
    if not preset.admits(list(usage.values())):
        raise ReleaseRefusedError(
            f"one customer has too large a share of the group's use ({preset.name}): widen the group"
        )


def require_releasable(
    usage: Mapping[UUID, int],
    period: Period,
    preset: Preset,
    earlier: Sequence[Released],
    parts: frozenset[Part] = frozenset(),
) -> None:
    """Pass if the total of these customers may leave.

    Args:
        usage: use of each customer over the period (magnitude, counts).
        period: the time of the data.
        preset: the rule.
        earlier: everything that was released.
        parts: the places in the total; empty where each customer is one place for all of the time.

    Raises:
        ReleaseRefusedError: it may not.
    """
    require_admitted(usage, preset, parts)
    customers = frozenset(usage)
    near = [r for r in earlier if r.period.intersection(period) is not None]
    floor = max([preset.floor, *(r.floor for r in near if r.customers & customers)])
    for holders, cell in cells([*(r.customers for r in near), customers]).items():
        touched = len(near) in holders or any(near[n].customers & customers for n in holders)
        if not touched:
            continue
        if len(cell) < floor:
            raise _isolating(floor)
        known = [usage[c] for c in cell if c in usage]
        if len(known) == len(cell) and not preset.admits(known):
            raise ReleaseRefusedError(
                "put together with what was released before, one customer would have too large a share of a part of it "
                f"({preset.name}): choose the same group as before"
            )
    if parts:
        _require_apart(parts, period, floor, [r for r in near if r.parts], customers)


def _require_apart(
    parts: frozenset[Part], period: Period, floor: int, near: Sequence[Released], customers: frozenset[UUID]
) -> None:
    places = {p.service_point_id for p in parts}
    mine = 1 << len(near)
    for n, one in enumerate(near):
        if one.customers & customers or any(p.service_point_id in places for p in one.parts):
            mine |= 1 << n
    for cell, count in fewest([*(r.parts for r in near), parts], period):
        if cell & mine and count < floor:
            raise _isolating(floor)


def _isolating(floor: int) -> ReleaseRefusedError:
    return ReleaseRefusedError(
        f"put together with what was released before, it would tell the use of fewer than {floor} customers: "
        "choose the same group as before, or one that differs by more"
    )
