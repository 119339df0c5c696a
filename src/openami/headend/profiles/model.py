"""What is known of a meter model, as values. The files that say it are read by :mod:`registry`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from openami.contracts.channel import Channel
from openami.contracts.event import STATUS_WORD_LOG, EventKind, alarm_log
from openami.kernel.obis import Obis

BASE_PROFILE = "dlms"
SCALER_MIN, SCALER_MAX = -30, 30
"""A scaler beyond these is no decimal point of any meter, and would make a number of a thousand digits."""
_ALARM_REGISTER_ABCD = b"\x00\x00\x61\x62"
_MAX_ALARM_REGISTER = 9


class PushKind(StrEnum):
    """What the rows of a push are."""

    INSTANT = "instant"
    LOAD_PROFILE = "load_profile"
    REGISTERS = "registers"
    EVENTS = "events"
    ALARMS = "alarms"


class DeviationRule(StrEnum):
    """How a model fills the deviation of its clock.

    ``standard``: UTC = local + deviation. ``reversed``: the sign is wrong. ``ignored``: the field is meaningless and
    the clock shows local time of the meter's zone.
    """

    STANDARD = "standard"
    REVERSED = "reversed"
    IGNORED = "ignored"


class SelectiveAccess(StrEnum):
    """How a part of a profile buffer can be asked for."""

    RANGE = "range"
    ENTRY = "entry"


@dataclass(frozen=True, slots=True)
class Scale:
    """What one count of an object is worth: ``10**scaler`` of a DLMS unit code."""

    scaler: int
    unit: int


@dataclass(frozen=True, slots=True)
class Recognition:
    """Conditions that must all hold; None asks nothing.

    Args:
        maker: FLAG letters of the system title, or of the logical device name where there is no title.
        title: first octets of the system title, for makers that do not write their FLAG letters there.
        list_version: how the first text of the body begins.
        push_setup: logical name of the push setup in the body.
        captures: objects that the push object list must name.
    """

    maker: str | None = None
    title: bytes | None = None
    list_version: str | None = None
    push_setup: Obis | None = None
    captures: frozenset[Obis] = frozenset()

    @property
    def weight(self) -> int:
        """How much is asked: more specific wins."""
        asked = (self.maker, self.title, self.list_version, self.push_setup)
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
    """A list of values without names: told by the push setup that is one of them, else by how many there are."""

    objects: tuple[Obis, ...]
    kind: PushKind = PushKind.INSTANT
    push_setup: Obis | None = None


Layout: TypeAlias = RowLayout | PositionalLayout


@dataclass(frozen=True, slots=True)
class ClockRule:
    """How a model's date-times are to be understood.

    Args:
        deviation: how the deviation is filled.
        trusts_status: whether the daylight saving bit of the clock status tells the two passes of an ambiguous hour
            apart; where not, the octet counts as unspecified.
    """

    deviation: DeviationRule = DeviationRule.STANDARD
    trusts_status: bool = True


@dataclass(frozen=True, slots=True)
class ReadableProfile:
    """A profile generic that can be read by pull.

    Args:
        name: what it is, for example ``load_profile``.
        obis: its logical name.
        capture_period_s: time between rows [s]; 0 for rows that an event makes.
        columns: what it captures where the meter has not been asked; empty where only the meter knows.
        selective_access: how a part of it can be asked for; empty where only all of it can be read.
    """

    name: str
    obis: Obis
    capture_period_s: int
    columns: tuple[Obis, ...] = ()
    selective_access: frozenset[SelectiveAccess] = frozenset()


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """All that is known of one meter model.

    Args:
        name: as the key shipment and the registry write it.
        about: which meters it is for, in a few words.
        parents: names of the profiles it inherits from, the nearest first.
        recognitions: what suggests this profile; never inherited.
        rows: row layouts by push setup.
        positional: positional layouts by number of values.
        listed: positional layouts by push setup.
        bare: names of the unnamed values of a self-naming list, in order.
        scale: worth of objects whose telegram carries no scaler.
        registers: which objects are cumulative registers of which channel.
        intervals: which objects are interval values of which channel, beside those of the channel table.
        names: what objects are, in a few words.
        main_b: values of B by which this model names what the standard names with B = 0.
        events: our names for event codes by log; ``None`` stands for every log.
        alarms: our names for the bits of alarm registers and status words.
        logs: what each event log is.
        reads: profiles that can be read by pull, by name.
        clients: client addresses (SAP) by name.
        clock: how its date-times are to be understood.
    """

    name: str
    about: str = ""
    parents: tuple[str, ...] = ()
    recognitions: tuple[Recognition, ...] = ()
    rows: Mapping[Obis, RowLayout] = field(default_factory=dict)
    positional: Mapping[int, PositionalLayout] = field(default_factory=dict)
    listed: Mapping[Obis, PositionalLayout] = field(default_factory=dict)
    bare: tuple[Obis, ...] = ()
    scale: Mapping[Obis, Scale] = field(default_factory=dict)
    registers: Mapping[Obis, Channel] = field(default_factory=dict)
    intervals: Mapping[Obis, Channel] = field(default_factory=dict)
    names: Mapping[Obis, str] = field(default_factory=dict)
    main_b: frozenset[int] = frozenset()
    events: Mapping[int | None, Mapping[int, EventKind]] = field(default_factory=dict)
    alarms: Mapping[Obis, Mapping[int, EventKind]] = field(default_factory=dict)
    logs: Mapping[int, str] = field(default_factory=dict)
    reads: Mapping[str, ReadableProfile] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)
    clock: ClockRule = ClockRule()

    def main(self, obis: Obis) -> Obis:
        """Return the name by the standard: B = 0 where this model's own B says the same."""
        octets = obis.octets
        return Obis(octets[:1] + b"\x00" + octets[2:]) if octets[1] in self.main_b else obis

    def scale_of(self, obis: Obis) -> Scale | None:
        """Return what one count of an object is worth, or None where the profile does not say it."""
        return self.scale.get(obis) or self.scale.get(self.main(obis))

    def register_channel(self, obis: Obis) -> Channel | None:
        """Return the channel that an object is the cumulative register of."""
        return self.registers.get(obis) or self.registers.get(self.main(obis))

    def name_of(self, obis: Obis) -> str | None:
        """Return what an object is, in a few words."""
        return self.names.get(obis) or self.names.get(self.main(obis))

    def event(self, log: int, code: int) -> EventKind:
        """Return our name for an event; ``other`` where the profile does not list it.

        Args:
            log: number of the event log; below 0 for an alarm register or status word, see :func:`log_of_alarm`.
            code: the maker's code, or the number of the bit.
        """
        if log < 0:
            found = next((bits.get(code) for obis, bits in self.alarms.items() if log_of_alarm(obis) == log), None)
        else:
            found = self.events.get(log, {}).get(code) or self.events.get(None, {}).get(code)
        return found or EventKind.OTHER


def log_of_alarm(obis: Obis) -> int:
    """Return the ``log`` under which the bits of an alarm register or status word are kept as events.

    >>> log_of_alarm(Obis.from_text("0.0.97.98.2.255")), log_of_alarm(Obis.from_text("0.0.94.91.18.255"))
    (-3, -100)
    """
    octets = obis.octets
    is_register = octets[:4] == _ALARM_REGISTER_ABCD and octets[4] <= _MAX_ALARM_REGISTER
    return alarm_log(octets[4]) if is_register else STATUS_WORD_LOG
