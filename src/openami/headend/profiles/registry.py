"""Meter profiles from the TOML files in ``data``. A profile inherits what it does not say itself.

A file says:

* ``inherits``: name of another profile.
* ``[[recognize]]``: conditions that together suggest this profile where nobody named one (``openami decode``):
  ``maker`` (three FLAG letters of the system title), ``list_version`` (how the first text of the body begins),
  ``push_setup`` (logical name in the body), ``captures`` (objects that the push list must name). More conditions win.
* ``[[layout]]``: ``kind`` and either ``push_setup`` with ``columns`` (rows of our own meter) or ``count`` with
  ``objects`` (a purely positional list, chosen by its number of values).
* ``bare``: names of values that a self-naming list sends without a name, in order.
* ``[scale]``: OBIS -> ``[scaler, unit code]`` where the telegram carries none.
* ``[registers]``: OBIS -> channel name of a cumulative register.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from openami.contracts.channel import CHANNEL_BY_NAME, Channel
from openami.kernel.errors import OpenAmiError
from openami.kernel.obis import Obis

BASE_PROFILE = "dlms"
MAX_INHERITANCE = 8
"""Longest chain of profiles; a circle in the data ends here."""


class UnknownProfileError(OpenAmiError):
    """No profile of that name is shipped."""


class PushKind(StrEnum):
    """What the rows of a push are."""

    INSTANT = "instant"
    LOAD_PROFILE = "load_profile"
    REGISTERS = "registers"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Scale:
    """What one count of an object is worth: ``10**scaler`` of a DLMS unit code."""

    scaler: int
    unit: int


@dataclass(frozen=True, slots=True)
class Recognition:
    """Conditions that must all hold; None asks nothing."""

    maker: str | None = None
    list_version: str | None = None
    push_setup: Obis | None = None
    captures: frozenset[Obis] = frozenset()

    @property
    def weight(self) -> int:
        """How much is asked: more specific wins."""
        asked = (self.maker, self.list_version, self.push_setup)
        return sum(a is not None for a in asked) + len(self.captures)


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Rows of one structure each: ``structure{push setup, array of structure{columns}}``."""

    kind: PushKind
    push_setup: Obis
    columns: tuple[Obis, ...]
    interval_s: int


@dataclass(frozen=True, slots=True)
class PositionalLayout:
    """A list of values without names, told by how many there are."""

    objects: tuple[Obis, ...]


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """All that is known of one meter model's pushes.

    Args:
        name: as the key shipment and the registry write it.
        recognitions: what suggests this profile.
        rows: row layouts by push setup.
        positional: positional layouts by number of values.
        bare: names of the unnamed values of a self-naming list, in order.
        scale: worth of objects whose telegram carries no scaler.
        registers: which objects are cumulative registers of which channel.
    """

    name: str
    recognitions: tuple[Recognition, ...] = ()
    rows: Mapping[Obis, RowLayout] = field(default_factory=dict)
    positional: Mapping[int, PositionalLayout] = field(default_factory=dict)
    bare: tuple[Obis, ...] = ()
    scale: Mapping[Obis, Scale] = field(default_factory=dict)
    registers: Mapping[Obis, Channel] = field(default_factory=dict)


def _recognition(entry: Mapping[str, Any]) -> Recognition:
    push_setup = entry.get("push_setup")
    return Recognition(
        maker=entry.get("maker"),
        list_version=entry.get("list_version"),
        push_setup=Obis.from_text(push_setup) if push_setup else None,
        captures=frozenset(Obis.from_text(t) for t in entry.get("captures", ())),
    )


def _obis_list(texts: list[str]) -> tuple[Obis, ...]:
    return tuple(Obis.from_text(t) for t in texts)


def _build(name: str, document: Mapping[str, Any], parent: MeterProfile) -> MeterProfile:
    rows = dict(parent.rows)
    positional = dict(parent.positional)
    for layout in document.get("layout", ()):
        if "push_setup" in layout:
            setup = Obis.from_text(layout["push_setup"])
            columns = _obis_list(layout["columns"])
            rows[setup] = RowLayout(PushKind(layout["kind"]), setup, columns, layout.get("interval_s", 0))
        else:
            objects = _obis_list(layout["objects"])
            positional[len(objects)] = PositionalLayout(objects)
    scale = {Obis.from_text(k): Scale(*v) for k, v in document.get("scale", {}).items()}
    registers = {Obis.from_text(k): CHANNEL_BY_NAME[v] for k, v in document.get("registers", {}).items()}
    return MeterProfile(
        name,
        tuple(_recognition(r) for r in document.get("recognize", ())),
        rows,
        positional,
        _obis_list(document["bare"]) if "bare" in document else parent.bare,
        {**parent.scale, **scale},
        {**parent.registers, **registers},
    )


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of all shipped profiles in order."""
    folder = files(__package__) / "data"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def profile_of(name: str) -> MeterProfile:
    """Return a profile with all it inherits.

    Raises:
        UnknownProfileError: no such profile, or a chain of inheritance that does not end.
    """
    chain: list[tuple[str, Mapping[str, Any]]] = []
    wanted: str | None = name
    while wanted is not None:
        if wanted not in profile_names():
            raise UnknownProfileError(f"no meter profile {wanted[:40]!r}; there are {', '.join(profile_names())}")
        if len(chain) == MAX_INHERITANCE:
            raise UnknownProfileError(f"meter profile {name!r} inherits more than {MAX_INHERITANCE} deep")
        text = (files(__package__) / "data" / f"{wanted}.toml").read_text(encoding="utf-8")
        document = tomllib.loads(text)
        chain.append((wanted, document))
        wanted = document.get("inherits")
    profile = MeterProfile(BASE_PROFILE)
    for link, document in reversed(chain):
        profile = _build(link, document, profile)
    return profile


def recognize(
    *,
    maker: str | None,
    list_version: str | None,
    push_setup: Obis | None,
    captures: frozenset[Obis],
) -> MeterProfile:
    """Return the profile whose conditions hold and ask most; the base profile where none does."""
    best, best_weight = profile_of(BASE_PROFILE), 0
    for name in profile_names():
        profile = profile_of(name)
        for r in profile.recognitions:
            holds = (
                r.maker in (None, maker)
                and (r.list_version is None or (list_version or "").startswith(r.list_version))
                and r.push_setup in (None, push_setup)
                and r.captures <= captures
            )
            if holds and r.weight > best_weight:
                best, best_weight = profile, r.weight
    return best
