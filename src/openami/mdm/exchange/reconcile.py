"""Two snapshots compared, both ways: every difference is counted, by what it is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openami.mdm.exchange.flat import flat_text
from openami.mdm.exchange.snapshot import Snapshot

HEAD = "openami reconciliation 1"
ONLY_OURS, ONLY_THEIRS, TWICE = "only_ours", "only_theirs", "twice"
NO_STATE = "active"
"""A place of which nothing was said may use energy, and is read by the network."""
_DEFAULTS = {"state": NO_STATE, "reading": "interval", "multiplier": "1"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: a place that one side lacks or lists twice, or one field of a place that both have."""

    service_point: str
    what: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of comparing.

    Args:
        ours, theirs: how many places each side has.
        equal: places of which nothing differs.
        differences: every one, by place.
        counts: how many of each kind; of kinds that were compared and do not differ, nothing.
    """

    ours: int
    theirs: int
    equal: int
    differences: tuple[Difference, ...]
    counts: Mapping[str, int] = field(default_factory=dict)


def reconciled(ours: Snapshot, theirs: Snapshot) -> Reconciliation:
    """Compare what both sides say of each place, in the fields that theirs tells.

    Args:
        ours: with every field.
        theirs: the other system's.
    """
    differences: list[Difference] = [Difference(name, TWICE, "", "") for name in theirs.twice]
    equal = 0
    for name in sorted(ours.places.keys() | theirs.places.keys()):
        mine, other = ours.places.get(name), theirs.places.get(name)
        if mine is None or other is None:
            differences.append(Difference(name, ONLY_OURS if other is None else ONLY_THEIRS, "", ""))
            continue
        found = [Difference(name, f, _said(mine, f), _said(other, f)) for f in theirs.fields]
        found = [d for d in found if d.ours != d.theirs]
        equal += not found
        differences += found
    counts = Counter(d.what for d in differences)
    return Reconciliation(len(ours.places), len(theirs.places), equal, tuple(differences), dict(sorted(counts.items())))


def flat_reconciliation(found: Reconciliation, *, snapshot: str, at: str) -> str:
    """Return the differences as a file, for both sides to work from."""
    rows: Sequence[tuple[str, ...]] = [(d.service_point, d.what, d.ours, d.theirs) for d in found.differences]
    return flat_text((HEAD, "openami", snapshot, at), ("service_point", "what", "ours", "theirs"), rows)


def _said(values: Mapping[str, str], name: str) -> str:
    """Return a field's value; where a place has no meter, its multiplier is not compared."""
    if name == "multiplier" and not values.get("meter", "-"):
        return "1"
    return values.get(name, "") or _DEFAULTS.get(name, "")
