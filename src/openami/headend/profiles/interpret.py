"""A notification body becomes named objects. Source: the layouts seen in captured telegrams, ``data/*.toml``.

Five shapes of body are known: a push object list and then its values; names and values mixed, flat or in structures,
with or without scaler and unit; rows of our own meter; a list by position; one octet string.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openami.headend.profiles.registry import (
    MeterProfile,
    PushKind,
    RowLayout,
    Scale,
    profile_of,
    recognize,
)
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.kernel.quantity import scaled
from openami.protocol.apdu import DataNotification
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.errors import PeerError

OBIS_OCTETS = 6
CLOCK_CLASS = 8
PUSH_SETUP_CLASS = 40
SCALER_MIN, SCALER_MAX = -30, 30
"""A scaler beyond these is no decimal point of any meter, and would make a number of a thousand digits."""
BODY_OFFSET = 6
"""Where the body of a notification begins at the earliest: errors of layout point here."""
_CLOCK_CD = b"\x01\x00"
_MAX_LIST_ENTRY_MEMBERS = 6


@dataclass(frozen=True, slots=True)
class PushObject:
    """One named value.

    Args:
        obis: its name; None where neither telegram nor profile gives one.
        value: scaled number, text, hexadecimal text, or the date-time.
        raw: the integer in the telegram; None for anything else.
        scale: worth of one count; None where neither telegram nor profile says it.
    """

    obis: Obis | None
    value: int | Decimal | float | str | bool | CosemDateTime | None
    raw: int | None = None
    scale: Scale | None = None


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


def interpret(
    notification: DataNotification, *, profile: str | None = None, system_title: SystemTitle | None = None
) -> Push:
    """Name the values of a notification.

    Args:
        notification: the push.
        profile: the meter's profile; None to recognize it by title and content.
        system_title: the sender, for recognition.

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
        maker = system_title.manufacturer if system_title else None
        known = recognize(maker=maker, list_version=_first_text(members), push_setup=setup, captures=captures)
    else:
        known = profile_of(profile)
    layout = known.rows.get(setup) if setup and not entries else None
    if layout is not None:
        rows = _rows(members, layout, known)
        return Push(known.name, layout.kind, setup, notification.at, layout.interval_s, rows)
    if entries:
        objects = _described(members, entries, known)
    elif body.octets is not None:
        objects = (_object(None, body, known),)
    elif any(_is_name(m) for m in _leaves(members)):
        objects = tuple(_self_naming(members, known))
    else:
        objects = _positional(members, known)
    clock = next((o.value for o in objects if isinstance(o.value, CosemDateTime)), notification.at)
    return Push(known.name, PushKind.INSTANT, setup, clock, 0, (PushRow(clock, objects),))


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
    if len(members) == 2 and _is_name(members[0]) and members[1].tag is Tag.ARRAY:
        return Obis(members[0].octets or b"")
    return None


def _rows(members: Sequence[Data], layout: RowLayout, profile: MeterProfile) -> tuple[PushRow, ...]:
    rows = []
    for number, row in enumerate(members[1].elements, 1):
        cells = row.elements
        if row.tag is not Tag.STRUCTURE or len(cells) != len(layout.columns):
            raise PeerError("bad_layout", f"row {number} has not {len(layout.columns)} columns", BODY_OFFSET)
        if cells[0].tag is not Tag.OCTET_STRING or len(cells[0].octets or b"") != DATE_TIME_OCTETS:
            raise PeerError("bad_layout", f"row {number} does not begin with a clock", BODY_OFFSET)
        if any(c.integer is None for c in cells[1:]):
            raise PeerError("bad_layout", f"row {number} holds a value that is no integer", BODY_OFFSET)
        objects = tuple(_object(obis, cell, profile) for obis, cell in zip(layout.columns, cells, strict=True))
        rows.append(PushRow(decode_date_time(cells[0].octets or b"", offset=BODY_OFFSET), objects))
    return tuple(rows)


def _described(
    members: Sequence[Data], entries: Sequence[tuple[int, Obis]], profile: MeterProfile
) -> tuple[PushObject, ...]:
    """Pair values with the list; the first value is the list itself where the list names the push setup first."""
    values = members if len(members) == len(entries) else members[1:]
    if len(values) != len(entries):
        text = f"{len(values)} values for {len(entries)} objects of the push list"
        raise PeerError("bad_layout", text, BODY_OFFSET)
    return tuple(
        _object(obis, value, profile, class_id)
        for (class_id, obis), value in zip(entries, values, strict=True)
        if value is not members[0]
    )


def _self_naming(members: Sequence[Data], profile: MeterProfile) -> Iterator[PushObject]:
    """Walk names and values. After a name comes its value, whatever it looks like, then perhaps scaler and unit."""
    bare = iter(profile.bare)
    stack = [iter(members)]
    name: Obis | None = None
    held: tuple[Obis | None, Data] | None = None
    while stack:
        member = next(stack[-1], None)
        scale = _scale(member) if held and member is not None else None
        if held and scale:
            yield _object(*held, profile, scale=scale)
            held = None
            continue
        if held:
            yield _object(*held, profile)
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


def _positional(members: Sequence[Data], profile: MeterProfile) -> tuple[PushObject, ...]:
    layout = profile.positional.get(len(members))
    names: Sequence[Obis | None] = layout.objects if layout else (None,) * len(members)
    return tuple(_object(n, m, profile) for n, m in zip(names, members, strict=True))


def _object(
    obis: Obis | None, data: Data, profile: MeterProfile, class_id: int = 0, scale: Scale | None = None
) -> PushObject:
    integer = data.integer
    if integer is not None:
        worth = scale or (profile.scale.get(obis) if obis else None)
        if worth is None:
            return PushObject(obis, integer, integer)
        value = scaled(integer, worth.scaler)
        return PushObject(obis, int(value) if worth.scaler >= 0 else value, integer, worth)
    octets = data.octets
    if octets is not None:
        return PushObject(obis, _text_or_clock(obis, octets, data.tag, class_id))
    if isinstance(data.value, bool | float):
        return PushObject(obis, data.value)
    if data.tag in (Tag.NULL, Tag.DONT_CARE):
        return PushObject(obis, None)
    return PushObject(obis, f"<{data.tag.name.lower()} of {len(data.elements)}>")


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
