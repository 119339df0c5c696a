"""What a meter itself says of its columns: what they are and what one count of each is worth.

Scalers are often absent from pushes, and a profile file can be wrong about a firmware nobody has seen. So each push
setup and profile of a meter is asked once, by pull: the list of captured objects, then the scaler and unit of each
register in it. The answers are a :class:`ColumnSheet`, kept for good; a newer one supersedes it.

Precedence, the first that says it holds: a scaler beside the value in the telegram; the newest sheet of the meter; the
profile file; as sent, a count without a unit.

Source: IEC 62056-6-2, 4.3.6 (profile generic, attribute 3), 4.4.8 (push setup, attribute 2), 4.3.2 to 4.3.4 (registers,
attribute ``scaler_unit``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from openami.headend.profiles.model import SCALER_MAX, SCALER_MIN, MeterProfile, Scale
from openami.kernel.obis import Obis
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem.reference import AttributeRef, CaptureObject
from openami.protocol.errors import PeerError

PROFILE_CLASS = 7
PUSH_SETUP_CLASS = 40
_LIST_ATTRIBUTE: Mapping[int, int] = MappingProxyType({PROFILE_CLASS: 3, PUSH_SETUP_CLASS: 2})
_SCALER_ATTRIBUTE: Mapping[int, int] = MappingProxyType({3: 3, 4: 3, 5: 4})
"""Register, extended register, demand register."""
_VALUE_ATTRIBUTES: Mapping[int, frozenset[int]] = MappingProxyType(
    {3: frozenset({2}), 4: frozenset({2}), 5: frozenset({2, 3})}
)
"""Attributes that the scaler belongs to; a captured time or status has none."""
MAX_COLUMNS = 128
"""Most columns of one list: twice what the largest meters of the field capture."""
_LEAST_MEMBERS, _MOST_MEMBERS = 4, 6
"""Class, name, attribute, index; push setups add a restriction and columns."""


@dataclass(frozen=True, slots=True)
class SaidColumn:
    """One column and what one count of it is worth; ``scale`` is None where the meter has none to tell."""

    captured: CaptureObject
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class ColumnSheet:
    """What a meter said of one of its push setups or profiles.

    Args:
        meter_id: the meter.
        subject: logical name of the push setup or profile.
        columns: in the order of the list.
        read_at: when it was read, UTC.
        request_id: the request that read it.
    """

    meter_id: UUID
    subject: Obis
    columns: tuple[SaidColumn, ...]
    read_at: datetime
    request_id: UUID


def list_request(subject: Obis, *, class_id: int = PROFILE_CLASS) -> AttributeRef:
    """Return the attribute to read first: the list of captured objects.

    Args:
        subject: logical name.
        class_id: 7 for a profile, 40 for a push setup.
    """
    return AttributeRef(class_id, subject, _LIST_ATTRIBUTE[class_id])


def scaler_requests(columns: Sequence[CaptureObject]) -> tuple[AttributeRef, ...]:
    """Return the attributes to read second: the scaler and unit of each register among the columns, each once."""
    wanted = (AttributeRef(c.class_id, c.instance, _SCALER_ATTRIBUTE[c.class_id]) for c in columns if _has_scaler(c))
    return tuple(dict.fromkeys(wanted))


def captured_objects(answer: Data) -> tuple[CaptureObject, ...]:
    """Read a list of captured objects or a push object list.

    Args:
        answer: value of the attribute that :func:`list_request` names.

    Raises:
        PeerError: code ``bad_capture_list``, anything else than such a list.
    """
    entries = answer.elements
    if answer.tag is not Tag.ARRAY or len(entries) > MAX_COLUMNS:
        raise PeerError("bad_capture_list", f"no list of at most {MAX_COLUMNS} captured objects", 0)
    return tuple(_captured(number, entry) for number, entry in enumerate(entries, 1))


def column_sheet(
    meter_id: UUID,
    subject: Obis,
    columns: Sequence[CaptureObject],
    answers: Mapping[AttributeRef, Data],
    *,
    read_at: datetime,
    request_id: UUID,
) -> ColumnSheet:
    """Return the record to store.

    Args:
        meter_id: the meter.
        subject: logical name of the push setup or profile.
        columns: what :func:`captured_objects` gave.
        answers: value of each attribute that :func:`scaler_requests` names and the meter gave; one that it refused is
            left out, and the column then has no scale of the meter's own.
        read_at: when, UTC.
        request_id: the request that read it.

    Raises:
        PeerError: code ``bad_scaler``, an answer that is no scaler and unit.
    """
    said = []
    for column in columns:
        asked = AttributeRef(column.class_id, column.instance, _SCALER_ATTRIBUTE.get(column.class_id, 0))
        answer = answers.get(asked) if _has_scaler(column) else None
        said.append(SaidColumn(column, scale_said(answer) if answer is not None else None))
    return ColumnSheet(meter_id, subject, tuple(said), read_at, request_id)


def scale_said(answer: Data) -> Scale:
    """Read a ``scaler_unit`` attribute: structure{scaler integer, unit enum}.

    Raises:
        PeerError: code ``bad_scaler``, anything else, or a scaler out of range.
    """
    parts = answer.elements
    if answer.tag is not Tag.STRUCTURE or [p.tag for p in parts] != [Tag.INTEGER, Tag.ENUM]:
        raise PeerError("bad_scaler", "no structure of scaler and unit", 0)
    scaler, unit = parts[0].integer or 0, parts[1].integer or 0
    if not SCALER_MIN <= scaler <= SCALER_MAX:
        raise PeerError("bad_scaler", f"a scaler of {scaler}", 0)
    return Scale(scaler, unit)


def newest_sheets(sheets: Iterable[ColumnSheet]) -> dict[tuple[UUID, Obis], ColumnSheet]:
    """Return the sheet that holds now of each meter and subject: the one read last."""
    newest: dict[tuple[UUID, Obis], ColumnSheet] = {}
    for sheet in sorted(sheets, key=lambda s: (s.read_at, s.request_id)):
        newest[sheet.meter_id, sheet.subject] = sheet
    return newest


def said_scales(sheets: Iterable[ColumnSheet]) -> dict[Obis, Scale]:
    """Return what one meter's own word makes of its objects; of several sheets the one read last holds.

    Args:
        sheets: of one meter, any subject.
    """
    scales: dict[Obis, Scale] = {}
    for sheet in sorted(sheets, key=lambda s: (s.read_at, s.request_id)):
        scales.update({c.captured.instance: c.scale for c in sheet.columns if c.scale is not None})
    return scales


def merged_scales(profile: MeterProfile, sheets: Iterable[ColumnSheet]) -> dict[Obis, Scale]:
    """Return what is known of a meter's objects: its own word before its profile file.

    Args:
        profile: of the meter.
        sheets: of the meter; none where it was never asked.
    """
    return {**profile.scale, **said_scales(sheets)}


def disagreements(profile: MeterProfile, sheets: Iterable[ColumnSheet]) -> dict[Obis, tuple[Scale, Scale]]:
    """Return where a meter's own word differs from its profile file, as (file, meter): the file wants mending."""
    said = said_scales(sheets)
    return {o: (file, said[o]) for o in said if (file := profile.scale_of(o)) is not None and file != said[o]}


def _has_scaler(column: CaptureObject) -> bool:
    return column.attribute in _VALUE_ATTRIBUTES.get(column.class_id, frozenset())


def _captured(number: int, entry: Data) -> CaptureObject:
    parts = entry.elements
    integers = [part.integer for part in parts]
    if (
        entry.tag is not Tag.STRUCTURE
        or not _LEAST_MEMBERS <= len(parts) <= _MOST_MEMBERS
        or (class_id := integers[0]) is None
        or len(name := parts[1].octets or b"") != 6
        or (attribute := integers[2]) is None
        or (index := integers[3]) is None
    ):
        raise PeerError("bad_capture_list", f"entry {number} is no captured object", 0)
    return CaptureObject(class_id, Obis(name), attribute, index)
