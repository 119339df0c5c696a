"""Meter profiles from the TOML files in ``data``: a file inherits what it does not say itself.

The usual chain is companion standard, maker, model, firmware. A child's entry replaces its parent's entry of the same
key (object, code, push setup, readable profile); everything else stays. ``recognize`` is a file's own.

Files are read once in a process, in the order of their names; the same files give the same profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from openami.contracts.channel import CHANNELS, Channel
from openami.headend.profiles.model import BASE_PROFILE, Layout, MeterProfile, RowLayout
from openami.headend.profiles.schema import Sheet, read_sheet
from openami.headend.profiles.toml_reader import ProfileProblem
from openami.kernel.errors import OpenAmiError
from openami.kernel.obis import Obis

MAX_INHERITANCE = 8
"""Longest chain of profiles: standard, companion standard, maker, family, model and firmware, and two to spare."""
_MERGED = ("scale", "registers", "intervals", "names", "logs", "clients")
_DEEP_MERGED = ("events", "alarms")
_REPLACED = ("bare", "main_b", "clock")


class UnknownProfileError(OpenAmiError):
    """No profile of that name is known."""


class ProfileDataError(OpenAmiError):
    """Profile files that cannot be used; the text has a line for each thing wrong: file, key, mend."""

    def __init__(self, problems: tuple[ProfileProblem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


def load_profiles(texts: Mapping[str, str]) -> Mapping[str, MeterProfile]:
    """Return the profiles of files, each with all that it inherits.

    Args:
        texts: content of each file by the profile's name.

    Raises:
        ProfileDataError: something in a file is not as the schema says, a parent is not known, or a chain of parents
            is a circle or too long.
    """
    sheets: dict[str, Sheet] = {}
    problems: list[ProfileProblem] = []
    for name in sorted(texts):
        sheets[name], found = read_sheet(name, texts[name])
        problems += found
    profiles: dict[str, MeterProfile] = {}
    for name, sheet in sheets.items():
        chain = _chain(name, sheets, problems)
        if chain:
            profiles[name] = _merged(chain)
            problems += _contradictions(profiles[name], sheet)
    if problems:
        raise ProfileDataError(tuple(dict.fromkeys(problems)))
    return MappingProxyType(profiles)


def _chain(name: str, sheets: Mapping[str, Sheet], problems: list[ProfileProblem]) -> list[Sheet]:
    """Return a file and its parents, the farthest first; nothing and a problem where the chain does not end well."""
    chain: list[Sheet] = []
    wanted: str | None = name
    while wanted is not None:
        file = f"{chain[-1].name if chain else name}.toml"
        if wanted not in sheets:
            text = f"there is no profile {wanted[:40]!r}"
            problems.append(ProfileProblem(file, "inherits", text, f"known are {', '.join(sheets)}"))
            return []
        if any(wanted == link.name for link in chain):
            circle = " -> ".join([link.name for link in chain] + [wanted])
            problems.append(ProfileProblem(file, "inherits", f"a circle: {circle}", "let one of them inherit nothing"))
            return []
        if len(chain) == MAX_INHERITANCE:
            text = f"{name} inherits more than {MAX_INHERITANCE} deep"
            problems.append(ProfileProblem(f"{name}.toml", "inherits", text, "join two of its parents"))
            return []
        chain.append(sheets[wanted])
        wanted = sheets[wanted].parent
    return chain[::-1]


def _merged(chain: list[Sheet]) -> MeterProfile:
    """Lay the sheets of a chain over each other, the farthest parent first."""
    own = chain[-1]
    fields: dict[str, Any] = {key: {} for key in (*_MERGED, *_DEEP_MERGED, "rows", "positional", "listed", "reads")}
    for sheet in chain:
        values = sheet.values
        for key in _MERGED:
            fields[key] = {**fields[key], **values.get(key, {})}
        for key in _DEEP_MERGED:
            inner = {k: {**fields[key].get(k, {}), **v} for k, v in values.get(key, {}).items()}
            fields[key] = {**fields[key], **inner}
        fields["reads"] = {**fields["reads"], **values.get("read", {})}
        for key in _REPLACED:
            if key in values:
                fields[key] = values[key]
        for layout in values.get("layout", ()):
            _place(layout, fields)
    frozen: dict[str, Any] = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in fields.items()}
    parents = tuple(sheet.name for sheet in chain[-2::-1])
    return MeterProfile(
        name=own.name,
        about=own.values.get("about") or "",
        parents=parents,
        recognitions=own.values.get("recognize", ()),
        **frozen,
    )


def _place(layout: Layout, fields: dict[str, Any]) -> None:
    setup = layout.push_setup
    if isinstance(layout, RowLayout):
        fields["listed"].pop(setup, None)
        fields["rows"][setup] = layout
    elif setup is None:
        fields["positional"][len(layout.objects)] = layout
    else:
        fields["rows"].pop(setup, None)
        fields["listed"][setup] = layout


def _contradictions(profile: MeterProfile, own: Sheet) -> list[ProfileProblem]:
    """Return what would silently store nothing: a scale whose unit is not that of the object's channel."""
    problems = []
    said = {**own.values.get("scale", {}), **own.values.get("registers", {}), **own.values.get("intervals", {})}
    for obis in said:
        channel: Channel | None = profile.registers.get(obis) or profile.intervals.get(obis)
        scale = profile.scale.get(obis)
        if channel is not None and scale is not None and scale.unit != CHANNELS[channel].unit:
            text = f"unit {scale.unit} is not the unit of channel {CHANNELS[channel].name}"
            mend = f"write unit {int(CHANNELS[channel].unit)}, or another channel"
            problems.append(ProfileProblem(f"{own.name}.toml", f"scale.{obis}", text, mend))
    return problems


@cache
def shipped_profiles() -> Mapping[str, MeterProfile]:
    """Return every profile that ships with this package, read once.

    Raises:
        ProfileDataError: a file that we ship is not as the schema says; a test holds that none is.
    """
    return load_profiles(_shipped_texts())


def profile_from_text(name: str, text: str) -> MeterProfile:
    """Return the profile of a file that is being written, with all that it inherits from those that are shipped.

    Args:
        name: of the profile.
        text: content of its file.

    Raises:
        ProfileDataError: the file is not as the schema says.
    """
    return load_profiles({**_shipped_texts(), name: text})[name]


def _shipped_texts() -> dict[str, str]:
    folder = files(__package__) / "data"
    return {f.name.removesuffix(".toml"): f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}


def profile_names() -> tuple[str, ...]:
    """Return the names of all shipped profiles in order."""
    return tuple(shipped_profiles())


def profile_of(name: str) -> MeterProfile:
    """Return a profile with all it inherits.

    Raises:
        UnknownProfileError: no such profile.
    """
    found = shipped_profiles().get(name)
    if found is None:
        raise UnknownProfileError(f"no meter profile {name[:40]!r}; there are {', '.join(profile_names())}")
    return found


def recognize(
    *,
    maker: str | None,
    title: bytes,
    list_version: str | None,
    push_setup: Obis | None,
    captures: frozenset[Obis],
) -> MeterProfile:
    """Return the profile whose conditions hold and ask most; the base profile where none does."""
    best, best_weight = profile_of(BASE_PROFILE), 0
    for profile in shipped_profiles().values():
        for r in profile.recognitions:
            holds = (
                r.maker in (None, maker)
                and title.startswith(r.title or b"")
                and (r.list_version is None or (list_version or "").startswith(r.list_version))
                and r.push_setup in (None, push_setup)
                and r.captures <= captures
            )
            if holds and r.weight > best_weight:
                best, best_weight = profile, r.weight
    return best
