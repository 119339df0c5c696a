"""Rules as data: for each channel group and local day, which rules are on, how severe, with which thresholds.

What the package ships is ``default_rules.toml``; what an operator sets lies over it from a day on. A setting names a
group or all of them, a rule, and whatever of it changes. Pure: who asked for it and why is kept elsewhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from math import isfinite
from types import MappingProxyType
from typing import Any, TypeVar

from openami.kernel.errors import OpenAmiError
from openami.mdm.vee.rules.catalog import RULE_BY_ID, RULES
from openami.mdm.vee.rules.rule import ChannelGroup, Rule

_Word = TypeVar("_Word", bound=StrEnum)
_DEFAULTS = "default_rules.toml"


class RuleSetError(OpenAmiError):
    """A setting cannot be; the text names the rule and what may stand there."""


class RuleSeverity(StrEnum):
    """What happens to what a rule finds.

    OFF: the rule is not asked. WARN: a finding, and the values are used. FAIL: a finding, and the values are held or
    not believed. ACCEPT: no finding; the values count as verified, as if a person had looked.
    """

    OFF = "off"
    WARN = "warn"
    FAIL = "fail"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class RuleState:
    """One rule as it holds for a group on a day."""

    severity: RuleSeverity
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """A change of one rule, for a half-open span of local days.

    Args:
        rule: its id.
        group: the channel group; None for all that the rule speaks of.
        first: first local day it holds on.
        until: first local day it holds no more; None for good.
        severity: None leaves it as it is.
        thresholds: those that change.
    """

    rule: str
    group: ChannelGroup | None
    first: date
    until: date | None = None
    severity: RuleSeverity | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rule = rule_named(self.rule)
        if self.group is not None and self.group not in rule.groups:
            raise RuleSetError(f"{rule.id}: it does not speak of {self.group}; it speaks of {_words(rule.groups)}")
        if self.until is not None and self.until <= self.first:
            raise RuleSetError(f"{rule.id}: it would hold until {self.until}, which is not after {self.first}")
        if self.severity is None and not self.thresholds:
            raise RuleSetError(f"{rule.id}: nothing changes; give a severity or a threshold")
        for name, value in self.thresholds.items():
            _check_bound(rule, name, value)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one channel group on one day."""

    group: ChannelGroup
    states: Mapping[str, RuleState]

    def __getitem__(self, rule: str) -> RuleState:
        return self.states[rule]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Which rule set holds when: the defaults, and settings over them in the order in which they were made."""

    settings: tuple[RuleSetting, ...] = ()

    def on(self, group: ChannelGroup, day: date) -> RuleSet:
        """Return the rule set of a group on a local day. Of two settings of one thing the later made holds."""
        states = dict(default_rules()[group].states)
        for s in self.settings:
            if s.rule in states and s.group in {None, group} and s.first <= day and (s.until is None or day < s.until):
                old = states[s.rule]
                states[s.rule] = RuleState(s.severity or old.severity, {**old.thresholds, **s.thresholds})
        return RuleSet(group, MappingProxyType(states))

    def spans(self, group: ChannelGroup, first: date, last: date) -> Iterator[tuple[date, date, RuleSet]]:
        """Yield (first, last, rule set) of runs of days, both included, on which one set holds."""
        edges = {d for s in self.settings for d in (s.first, s.until) if d is not None and first < d <= last}
        starts = [first, *sorted(edges)]
        for start, after in zip(starts, [*starts[1:], last + timedelta(days=1)], strict=True):
            yield start, after - timedelta(days=1), self.on(group, start)


def rule_named(name: str) -> Rule:
    """Return a rule.

    Raises:
        RuleSetError: there is none of this name.
    """
    rule = RULE_BY_ID.get(name)
    if rule is None:
        raise RuleSetError(f"rule {name[:40]!r}: there is none; `openami rules list` shows them")
    return rule


def setting_from_words(
    rule: str, group: str | None, first: date, until: date | None, severity: str | None, thresholds: Sequence[str]
) -> RuleSetting:
    """Return the setting that a person typed.

    Args:
        rule: its id.
        group: a channel group; None for all.
        first: first local day.
        until: first local day it holds no more; None for good.
        severity: a severity; None leaves it.
        thresholds: each ``name=number``.

    Raises:
        RuleSetError: a word is unknown or a number out of its range.
    """
    numbers: dict[str, float] = {}
    for text in thresholds:
        name, equals, number = text.partition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError as error:
            raise RuleSetError(f"{rule}: {text[:60]!r} is not name=number") from error
        if not equals:
            raise RuleSetError(f"{rule}: {text[:60]!r} is not name=number")
    return RuleSetting(
        rule_named(rule).id,
        None if group is None else _word(ChannelGroup, group, "channel group"),
        first,
        until,
        None if severity is None else _word(RuleSeverity, severity, "severity"),
        numbers,
    )


def settings_of(document: Mapping[str, Any], *, since: date) -> tuple[RuleSetting, ...]:
    """Return what a document in the form of the shipped one changes: a table a rule, in it one a channel group.

    Raises:
        RuleSetError: it names what is not there, or a number out of its range.
    """
    found = []
    for name, table in document.items():
        rule = rule_named(name)
        if not isinstance(table, dict):
            raise RuleSetError(f"{rule.id}: a table stands there, not {table!r:.40}")
        plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
        parts = [
            (None, plain),
            *((_word(ChannelGroup, k, f"{rule.id}: group"), v) for k, v in table.items() if isinstance(v, dict)),
        ]
        for group, part in parts:
            if part:
                severity = part.get("severity")
                told = None if severity is None else _word(RuleSeverity, str(severity), f"{rule.id}: severity")
                numbers = {k: _number(rule, k, v) for k, v in part.items() if k != "severity"}
                found.append(RuleSetting(rule.id, group, since, severity=told, thresholds=numbers))
    return tuple(found)


def _number(rule: Rule, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleSetError(f"{rule.id}: {name} = {value!r:.40} is no number")
    return float(value)


@lru_cache(maxsize=1)
def default_rules() -> Mapping[ChannelGroup, RuleSet]:
    """Return what the package ships, by channel group."""
    text = files("openami.mdm.vee").joinpath(_DEFAULTS).read_text(encoding="utf-8")
    return MappingProxyType(read_rules(tomllib.loads(text)))


def read_rules(document: Mapping[str, Any]) -> dict[ChannelGroup, RuleSet]:
    """Read a document with a table for each rule, and in it one for each group that differs.

    Raises:
        RuleSetError: a rule or a threshold is missing, unknown or out of its range.
    """
    missing = [rule.id for rule in RULES if rule.id not in document]
    if missing:
        raise RuleSetError(f"rules without a table: {', '.join(missing)}")
    sets: dict[ChannelGroup, dict[str, RuleState]] = {group: {} for group in ChannelGroup}
    for name, table in document.items():
        rule = rule_named(name)
        plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
        for group in rule.groups:
            sets[group][rule.id] = _state(rule, {**plain, **table.get(group.value, {})})
    return {group: RuleSet(group, MappingProxyType(states)) for group, states in sets.items()}


def _state(rule: Rule, table: Mapping[str, Any]) -> RuleState:
    severity = _word(RuleSeverity, str(table.get("severity")), f"{rule.id}: severity")
    numbers = {k: _number(rule, k, v) for k, v in table.items() if k != "severity"}
    absent = rule.bounds.keys() - numbers.keys()
    if absent:
        raise RuleSetError(f"{rule.id}: without {_words(absent)}")
    for name, value in numbers.items():
        _check_bound(rule, name, value)
    return RuleState(severity, MappingProxyType(numbers))


def _check_bound(rule: Rule, name: str, value: float) -> None:
    bound = rule.bounds.get(name)
    if bound is None:
        told = _words(rule.bounds) if rule.bounds else "none"
        raise RuleSetError(f"{rule.id}: no threshold {name[:40]!r}; it has {told}")
    if not isfinite(value) or not bound.low <= value <= bound.high:
        raise RuleSetError(f"{rule.id}: {name} = {value:g} lies outside {bound.low:g} to {bound.high:g}")


def _word(kind: type[_Word], text: str, what: str) -> _Word:
    try:
        return kind(text.strip().lower())
    except ValueError as error:
        raise RuleSetError(f"{what} {text[:40]!r}: one of {_words(kind)}") from error


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(str(n) for n in names))
