"""A meter is asked once what its columns are worth, and its word comes before a file's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from openami.headend.profiles import profile_of
from openami.headend.profiles.columns import (
    MAX_COLUMNS,
    ColumnSheet,
    SaidColumn,
    captured_objects,
    column_sheet,
    disagreements,
    list_request,
    merged_scales,
    newest_sheets,
    said_scales,
    scaler_requests,
)
from openami.headend.profiles.model import Scale
from openami.kernel.obis import Obis
from openami.protocol.axdr import Data, Tag, array, octet_string, structure, u16
from openami.protocol.axdr.types import null
from openami.protocol.cosem.reference import AttributeRef, CaptureObject
from openami.protocol.errors import PeerError

METER, REQUEST = UUID(int=1), UUID(int=2)
AT = datetime(2026, 7, 1, tzinfo=UTC)
LOAD_PROFILE, PUSH = Obis.from_text("1.0.99.1.0.255"), Obis.from_text("0.8.25.9.0.255")
CLOCK, A_PLUS, CURRENT = (Obis.from_text(t) for t in ("0.0.1.0.0.255", "1.0.1.8.0.255", "1.0.31.7.0.255"))
DEMAND = Obis.from_text("1.0.1.4.0.255")


def entry(class_id: int, name: Obis, attribute: int, *more: Data) -> Data:
    return structure(u16(class_id), octet_string(name.octets), Data(Tag.INTEGER, attribute), u16(0), *more)


def scaler_unit(scaler: int, unit: int) -> Data:
    return structure(Data(Tag.INTEGER, scaler), Data(Tag.ENUM, unit))


COLUMNS = (
    CaptureObject(8, CLOCK, 2),
    CaptureObject(3, A_PLUS, 2),
    CaptureObject(4, CURRENT, 2),
    CaptureObject(4, CURRENT, 5),
    CaptureObject(5, DEMAND, 3),
)
LIST = array(*(entry(c.class_id, c.instance, c.attribute) for c in COLUMNS))


def sheet(scale: Scale, *, days: int = 0, subject: Obis = PUSH) -> ColumnSheet:
    return ColumnSheet(METER, subject, (SaidColumn(COLUMNS[1], scale),), AT + timedelta(days=days), REQUEST)


@pytest.mark.parametrize(("class_id", "attribute"), [(7, 3), (40, 2)])
def test_the_list_is_asked_first(class_id: int, attribute: int) -> None:
    assert list_request(PUSH, class_id=class_id) == AttributeRef(class_id, PUSH, attribute)


def test_the_scaler_of_each_register_is_asked_once_and_of_nothing_else() -> None:
    assert captured_objects(LIST) == COLUMNS
    assert scaler_requests((*COLUMNS, *COLUMNS)) == (
        AttributeRef(3, A_PLUS, 3),
        AttributeRef(4, CURRENT, 3),
        AttributeRef(5, DEMAND, 4),
    )


def test_a_push_object_list_with_restrictions_is_read_too() -> None:
    restriction = structure(Data(Tag.ENUM, 0), null())
    listed = array(entry(3, A_PLUS, 2, restriction, array()))
    assert captured_objects(listed) == (COLUMNS[1],)


def test_answers_become_a_sheet_and_a_refused_one_leaves_its_column_without_a_scale() -> None:
    answers = {AttributeRef(3, A_PLUS, 3): scaler_unit(1, 30), AttributeRef(5, DEMAND, 4): scaler_unit(0, 27)}
    found = column_sheet(METER, LOAD_PROFILE, COLUMNS, answers, read_at=AT, request_id=REQUEST)
    assert [c.scale for c in found.columns] == [None, Scale(1, 30), None, None, Scale(0, 27)]
    assert (found.meter_id, found.subject, found.read_at, found.request_id) == (METER, LOAD_PROFILE, AT, REQUEST)


@pytest.mark.parametrize(
    "answer",
    [
        null(),
        structure(),
        array(structure()),
        array(entry(3, A_PLUS, 2, null(), null(), null())),
        array(structure(u16(3), octet_string(b"short"), Data(Tag.INTEGER, 2), u16(0))),
        array(structure(null(), octet_string(A_PLUS.octets), Data(Tag.INTEGER, 2), u16(0))),
        array(*[entry(3, A_PLUS, 2)] * (MAX_COLUMNS + 1)),
    ],
)
def test_what_is_no_list_of_captured_objects_is_refused(answer: Data) -> None:
    with pytest.raises(PeerError) as caught:
        captured_objects(answer)
    assert caught.value.code == "bad_capture_list"


@pytest.mark.parametrize("answer", [null(), u16(3), structure(u16(0), u16(30)), scaler_unit(-31, 30)])
def test_what_is_no_scaler_and_unit_is_refused(answer: Data) -> None:
    with pytest.raises(PeerError) as caught:
        column_sheet(METER, PUSH, COLUMNS, {AttributeRef(3, A_PLUS, 3): answer}, read_at=AT, request_id=REQUEST)
    assert caught.value.code == "bad_scaler"


def test_the_meters_word_comes_before_the_files_and_the_newest_before_the_oldest() -> None:
    profile = profile_of("lg-e450")
    assert merged_scales(profile, []) == profile.scale
    assert merged_scales(profile, [sheet(Scale(1, 30))])[A_PLUS] == Scale(1, 30)
    sheets = [sheet(Scale(2, 30), days=1), sheet(Scale(1, 30))]
    assert merged_scales(profile, sheets)[A_PLUS] == merged_scales(profile, sheets[::-1])[A_PLUS] == Scale(2, 30)
    assert said_scales(sheets) == {A_PLUS: Scale(2, 30)}
    assert newest_sheets(sheets) == {(METER, PUSH): sheets[0]}


def test_a_file_that_a_meter_contradicts_is_named() -> None:
    profile = profile_of("lg-e450")
    assert disagreements(profile, [sheet(Scale(0, 30))]) == {}
    assert disagreements(profile, [sheet(Scale(1, 30))]) == {A_PLUS: (Scale(0, 30), Scale(1, 30))}
