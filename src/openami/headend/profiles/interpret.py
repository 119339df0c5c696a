"""A notification body becomes named objects. Source: the layouts seen in captured telegrams, ``data/*.toml``.

Five shapes of body are known: a push object list and then its values; names and values mixed, flat or in structures,
with or without scaler and unit; rows of our own meter; a list by position; one octet string.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from openami.headend.profiles.model import (
    SCALER_MAX,
    SCALER_MIN,
    ClockRule,
    DeviationRule,
    MeterProfile,
    PositionalLayout,
    PushKind,
    RowLayout,
    Scale,
)
from openami.headend.profiles.registry import profile_of, recognize
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.kernel.quantity import scaled
from openami.protocol.apdu import DataNotification
from openami.protocol.axdr import BitString, Data, Tag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.cosem.datetime import UNSPECIFIED, UNSPECIFIED_DEVIATION
from openami.protocol.errors import PeerError

OBIS_OCTETS = 6
CLOCK_CLASS = 8
PUSH_SETUP_CLASS = 40
BODY_OFFSET = 6
"""Where the body of a notification begins at the earliest: errors of layout point here."""
_CLOCK_CD = b"\x01\x00"
_DEVICE_NAME_OCTETS = 16
_PUSH_SETUP_CD = b"\x19\x09"
_MAX_SETUP_PLACE = 3
"""A push names its setup first, or after one or two names of the meter."""
_MAX_STATUS_BITS = 128
"""The widest status word, India's event status word."""
_MAX_LIST_ENTRY_MEMBERS = 6


@dataclass(frozen=True, slots=True)
class PushObject:
    """One named value.

    Args:
        obis: its name; None where neither telegram nor profile gives one.
        value: scaled number, text, hexadecimal text, or the date-time.
        raw: the integer in the telegram; None for anything else.
        scale: worth of one count; None where neither telegram, meter nor profile says it.
        bits: numbers of the bits that are set, where the value is a bit string.
        source: the datum in the telegram, for those who ask where it stands.
    """

    obis: Obis | None
    value: int | Decimal | float | str | bool | CosemDateTime | None
    raw: int | None = None
    scale: Scale | None = None
    bits: tuple[int, ...] = ()
    source: Data | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PushRow:
    """Objects of one moment; ``clock`` is the row's own stamp."""

    clock: CosemDateTime | None
    objects: tuple[PushObject, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """What a notification says.

    Args:
        profile: name of the profile that was used.
        kind: what the rows are.
        push_setup: logical name of the push setup, where the body names it.
        clock: the clock object of the body, else the stamp of the notification.
        interval_s: length of the intervals [s]; 0 where rows are not intervals.
        rows: one row for an instant, any number otherwise.
    """

    profile: str
    kind: PushKind
    push_setup: Obis | None
    clock: CosemDateTime | None
    interval_s: int
    rows: tuple[PushRow, ...]

    @property
    def objects(self) -> tuple[PushObject, ...]:
        """All objects in order."""
        return tuple(o for row in self.rows for o in row.objects)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What values of this meter mean: what the meter said of itself by pull, then what its profile says."""

    profile: MeterProfile
    said: Mapping[Obis, Scale]

    def scale_of(self, obis: Obis | None) -> Scale | None:
        if obis is None:
            return None
        return self.said.get(obis) or self.profile.scale_of(obis)


def interpret(
    notification: DataNotification,
    *,
    profile: str | MeterProfile | None = None,
    system_title: SystemTitle | None = None,
    said: Mapping[Obis, Scale] | None = None,
) -> Push:
    """Name the values of a notification.

    Args:
        notification: the push.
        profile: the meter's profile or its name; None to recognize it by title and content.
        system_title: the sender, for recognition.
        said: what the meter itself said of its columns when it was asked, see :mod:`.columns`. A scaler beside a value
            in the telegram comes first, then this, then the profile.

    Raises:
        PeerError: the body is not what the profile's layout says.
        UnknownProfileError: no profile of that name.
    """
    body = notification.body
    members = body.elements
    entries = _push_list(members)
    setup = _push_setup(members, entries)
    if profile is None:
        captures = frozenset(obis for _, obis in entries) if entries else frozenset[Obis]()
        maker = system_title.manufacturer if system_title else _maker_of_device_name(members)
        title = system_title.octets if system_title else b""
        version = _first_text(members)
        known = recognize(maker=maker, title=title, list_version=version, push_setup=setup, captures=captures)
    else:
        known = profile_of(profile) if isinstance(profile, str) else profile
    meaning = _Meaning(known, said or {})
    sent_at = ruled(notification.at, known.clock) if notification.at else None
    layout = known.rows.get(setup) if setup and not entries and holds_rows(members) else None
    if layout is not None:
        rows = _rows(members, layout, meaning)
        return Push(known.name, layout.kind, setup, sent_at, layout.interval_s, rows)
    listed = known.listed.get(setup) if setup and not entries else None
    kind = listed.kind if listed else PushKind.INSTANT
    if listed is not None:
        objects = _placed(members, listed, meaning)
    elif entries:
        objects = _described(members, entries, meaning)
    elif body.octets is not None:
        objects = (_object(None, body, meaning),)
    elif any(_is_name(m) for m in _leaves(members)):
        objects = tuple(_self_naming(members, meaning))
    else:
        objects = _positional(members, meaning)
    clock = next((o.value for o in objects if isinstance(o.value, CosemDateTime)), sent_at)
    return Push(known.name, kind, setup, clock, 0, (PushRow(clock, objects),))


def ruled(clock: CosemDateTime, rule: ClockRule) -> CosemDateTime:
    """Return a date-time as the standard would have it, where the model fills it in another way."""
    deviation, status = clock.deviation_minutes, clock.status
    if rule.deviation is DeviationRule.IGNORED:
        deviation = UNSPECIFIED_DEVIATION
    elif rule.deviation is DeviationRule.REVERSED and clock.has_deviation:
        deviation = -deviation
    if not rule.trusts_status:
        status = UNSPECIFIED
    return replace(clock, deviation_minutes=deviation, status=status)


def _is_name(data: Data) -> bool:
    return data.tag is Tag.OCTET_STRING and len(data.octets or b"") == OBIS_OCTETS


def _leaves(members: Sequence[Data]) -> Iterator[Data]:
    for member in members:
        if member.elements:
            yield from _leaves(member.elements)
        else:
            yield member


def _first_text(members: Sequence[Data]) -> str | None:
    for leaf in _leaves(members):
        if leaf.tag in (Tag.OCTET_STRING, Tag.VISIBLE_STRING) and not _is_name(leaf):
            text = (leaf.octets or b"").decode("latin-1")
            return text if text.isprintable() else None
    return None


def _maker_of_device_name(members: Sequence[Data]) -> str | None:
    """Return the FLAG letters of a logical device name: sixteen octets, three capitals and then digits."""
    for leaf in _leaves(members):
        text = (leaf.octets or b"").decode("latin-1")
        if len(text) == _DEVICE_NAME_OCTETS and text[:3].isascii() and text[:3].isupper() and text[3:].isdecimal():
            return text[:3]
    return None


def _push_list(members: Sequence[Data]) -> tuple[tuple[int, Obis], ...]:
    """Return (class, name) of each entry of a push object list at the front; nothing where there is none."""
    if not members or members[0].tag is not Tag.ARRAY:
        return ()
    entries = []
    for entry in members[0].elements:
        parts = entry.elements
        if not 4 <= len(parts) <= _MAX_LIST_ENTRY_MEMBERS or parts[0].integer is None or not _is_name(parts[1]):
            return ()
        entries.append((parts[0].integer, Obis(parts[1].octets or b"")))
    return tuple(entries)


def _push_setup(members: Sequence[Data], entries: Sequence[tuple[int, Obis]]) -> Obis | None:
    for class_id, obis in entries:
        if class_id == PUSH_SETUP_CLASS:
            return obis
    if holds_rows(members):
        return Obis(members[0].octets or b"")
    for member in members[:_MAX_SETUP_PLACE]:
        if _is_name(member) and (member.octets or b"")[2:4] == _PUSH_SETUP_CD:
            return Obis(member.octets or b"")
    return None


def holds_rows(members: Sequence[Data]) -> bool:
    """Tell whether the members of a body are a push setup and an array."""
    return len(members) == 2 and _is_name(members[0]) and members[1].tag is Tag.ARRAY


def _rows(members: Sequence[Data], layout: RowLayout, meaning: _Meaning) -> tuple[PushRow, ...]:
    rows = []
    for number, row in enumerate(members[1].elements, 1):
        cells = row.elements
        if row.tag is not Tag.STRUCTURE or len(cells) != len(layout.columns):
            raise PeerError("bad_layout", f"row {number} has not {len(layout.columns)} columns", BODY_OFFSET)
        if cells[0].tag is not Tag.OCTET_STRING or len(cells[0].octets or b"") != DATE_TIME_OCTETS:
            raise PeerError("bad_layout", f"row {number} does not begin with a clock", BODY_OFFSET)
        if any(c.integer is None for c in cells[1:]):
            raise PeerError("bad_layout", f"row {number} holds a value that is no integer", BODY_OFFSET)
        objects = tuple(_object(obis, cell, meaning) for obis, cell in zip(layout.columns, cells, strict=True))
        clock = decode_date_time(cells[0].octets or b"", offset=BODY_OFFSET)
        rows.append(PushRow(ruled(clock, meaning.profile.clock), objects))
    return tuple(rows)


def _described(
    members: Sequence[Data], entries: Sequence[tuple[int, Obis]], meaning: _Meaning
) -> tuple[PushObject, ...]:
    """Pair values with the list; the first value is the list itself where the list names the push setup first."""
    values = members if len(members) == len(entries) else members[1:]
    if len(values) != len(entries):
        text = f"{len(values)} values for {len(entries)} objects of the push list"
        raise PeerError("bad_layout", text, BODY_OFFSET)
    return tuple(
        _object(obis, value, meaning, class_id)
        for (class_id, obis), value in zip(entries, values, strict=True)
        if value is not members[0]
    )


def _self_naming(members: Sequence[Data], meaning: _Meaning) -> Iterator[PushObject]:
    """Walk names and values. After a name comes its value, whatever it looks like, then perhaps scaler and unit."""
    bare = iter(meaning.profile.bare)
    stack = [iter(members)]
    name: Obis | None = None
    held: tuple[Obis | None, Data] | None = None
    while stack:
        member = next(stack[-1], None)
        scale = _scale(member) if held and member is not None else None
        if held and scale:
            yield _object(*held, meaning, scale=scale)
            held = None
            continue
        if held:
            yield _object(*held, meaning)
            held = None
        if member is None:
            stack.pop()
        elif name is None and _is_name(member):
            name = Obis(member.octets or b"")
        elif member.tag in (Tag.STRUCTURE, Tag.ARRAY) and name is None:
            stack.append(iter(member.elements))
        else:
            held = (name or next(bare, None), member)
            name = None
    if name:
        raise PeerError("bad_layout", f"the name {name} has no value", BODY_OFFSET)


def _scale(data: Data) -> Scale | None:
    """Read ``structure{scaler integer, unit enum}``; None for anything else."""
    parts = data.elements
    if data.tag is not Tag.STRUCTURE or [p.tag for p in parts] != [Tag.INTEGER, Tag.ENUM]:
        return None
    scaler, unit = parts[0].integer or 0, parts[1].integer or 0
    if not SCALER_MIN <= scaler <= SCALER_MAX:
        raise PeerError("bad_scaler", f"a scaler of {scaler}", BODY_OFFSET)
    return Scale(scaler, unit)


def _positional(members: Sequence[Data], meaning: _Meaning) -> tuple[PushObject, ...]:
    layout = meaning.profile.positional.get(len(members))
    names: Sequence[Obis | None] = layout.objects if layout else (None,) * len(members)
    return tuple(_object(n, m, meaning) for n, m in zip(names, members, strict=True))


def _placed(members: Sequence[Data], layout: PositionalLayout, meaning: _Meaning) -> tuple[PushObject, ...]:
    if len(members) != len(layout.objects):
        text = f"{len(members)} values where push setup {layout.push_setup} sends {len(layout.objects)}"
        raise PeerError("bad_layout", text, BODY_OFFSET)
    return tuple(_object(o, m, meaning) for o, m in zip(layout.objects, members, strict=True))


def _object(
    obis: Obis | None, data: Data, meaning: _Meaning, class_id: int = 0, scale: Scale | None = None
) -> PushObject:
    integer = data.integer
    if integer is not None:
        worth = scale or meaning.scale_of(obis)
        if worth is None:
            return PushObject(obis, integer, integer, source=data)
        value = scaled(integer, worth.scaler)
        return PushObject(obis, int(value) if worth.scaler >= 0 else value, integer, worth, source=data)
    octets = data.octets
    if octets is not None:
        said = _text_or_clock(obis, octets, data.tag, class_id)
        shown = ruled(said, meaning.profile.clock) if isinstance(said, CosemDateTime) else said
        return PushObject(obis, shown, source=data)
    return _other_object(obis, data)


def _other_object(obis: Obis | None, data: Data) -> PushObject:
    if isinstance(data.value, bool | float):
        return PushObject(obis, data.value, source=data)
    if isinstance(data.value, BitString) and data.value.count <= _MAX_STATUS_BITS:
        return PushObject(obis, data.value.octets.hex(), bits=_set_bits(data.value), source=data)
    if data.tag in (Tag.NULL, Tag.DONT_CARE):
        return PushObject(obis, None, source=data)
    return PushObject(obis, f"<{data.tag.name.lower()} of {len(data.elements)}>", source=data)


def _set_bits(value: BitString) -> tuple[int, ...]:
    return tuple(i for i in range(value.count) if value.octets[i // 8] & 0x80 >> i % 8)


def _text_or_clock(obis: Obis | None, octets: bytes, tag: Tag, class_id: int) -> str | CosemDateTime:
    named_clock = class_id == CLOCK_CLASS or (obis is not None and obis.octets[2:4] == _CLOCK_CD)
    if len(octets) == DATE_TIME_OCTETS and (tag is Tag.DATE_TIME or named_clock or _looks_like_clock(octets)):
        return decode_date_time(octets, offset=BODY_OFFSET)
    if tag is Tag.UTF8_STRING:
        text = octets.decode("utf-8", "backslashreplace")
        return text if text.isprintable() else octets.hex()
    if octets and all(0x20 <= o < 0x7F for o in octets):
        return octets.decode("ascii")
    return octets.hex()


def _looks_like_clock(octets: bytes) -> bool:
    """Tell whether twelve unnamed octets are a moment of this age: no text has a year's first octet of 07 or 08."""
    return octets[0] in (0x07, 0x08) and 1 <= octets[2] <= 12 and 1 <= octets[3] <= 31 and octets[5] < 24
