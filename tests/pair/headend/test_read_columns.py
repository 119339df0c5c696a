"""A meter tells, over real messages, what its columns are worth, and our file of it says the same."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from tests.pair.meter.reading import Reader
from tests.pair.meter.test_read_a_meter import associations
from tests.unit.meter.made import NOON, meter

from openami.headend.keeping.clock_watch import ClockPolicy
from openami.headend.keeping.request import Lane, Request, RequestKind
from openami.headend.profiles import profile_of
from openami.headend.profiles.columns import ColumnSheet, disagreements
from openami.headend.profiles.model import ReadableProfile, Scale
from openami.headend.session.column_read import read_columns
from openami.headend.session.operations import Circumstance, perform
from openami.kernel.obis import Obis
from openami.kernel.time import zone_named
from openami.protocol.association.ports import AccessRefusedError

PROFILE = profile_of("oam-1")
METER, REQUEST = UUID(int=7), UUID(int=8)


def said(subject: Obis, *, class_id: int = 7, client: int = PROFILE.clients["reader"]) -> ColumnSheet:
    one = meter()
    reader = Reader(one.identity, associations(one).answer, client=client)
    reader.associate()
    steps = read_columns(
        reader.association, subject, meter_id=METER, read_at=NOON, request_id=REQUEST, class_id=class_id
    )
    return reader.run(steps)


@pytest.mark.parametrize("name", sorted(PROFILE.reads))
def test_the_file_of_our_meter_says_what_the_meter_says(name: str) -> None:
    read = PROFILE.reads[name]
    sheet = said(read.obis)
    assert (sheet.meter_id, sheet.subject, sheet.read_at, sheet.request_id) == (METER, read.obis, NOON, REQUEST)
    if read.columns:
        assert tuple(c.captured.instance for c in sheet.columns) == read.columns
    assert disagreements(PROFILE, [sheet]) == {}
    for column in sheet.columns:
        assert column.scale == PROFILE.scale_of(column.captured.instance), column


def test_a_column_that_is_no_register_has_no_scale() -> None:
    clock, status, energy, _, voltage = said(PROFILE.reads["load_profile"].obis).columns
    assert (clock.scale, status.scale) == (None, None)
    assert (energy.scale, voltage.scale) == (Scale(0, 30), Scale(-1, 35))


def test_a_push_setup_is_asked_like_a_profile() -> None:
    sheet = said(Obis.from_text("0.1.25.9.0.255"), class_id=40, client=PROFILE.clients["management"])
    listed = [(c.captured.class_id, str(c.captured.instance)) for c in sheet.columns]
    assert listed == [(40, "0.1.25.9.0.255"), (7, "1.0.99.1.0.255")]


def test_an_object_that_is_not_there_is_refused() -> None:
    with pytest.raises(AccessRefusedError):
        said(Obis.from_text("1.0.99.9.0.255"))


def test_one_request_reads_the_columns_of_every_profile_and_says_where_the_file_is_wrong() -> None:
    one = meter()
    reader = Reader(one.identity, associations(one).answer, client=PROFILE.clients["reader"])
    reader.associate()
    missing = ReadableProfile("not_there", Obis.from_text("1.0.99.9.0.255"), 0)
    wrong = replace(
        PROFILE,
        scale={**PROFILE.scale, Obis.from_text("1.0.1.29.0.255"): Scale(1, 30)},
        reads={**PROFILE.reads, "not_there": missing},
    )
    around = Circumstance(wrong, zone_named("America/Chicago"), NOON.timestamp, ClockPolicy())
    request = Request(
        REQUEST, METER, one.identity.title, RequestKind.COLUMNS, Lane.BACKGROUND, 0, 0, int(NOON.timestamp())
    )
    answer = reader.run(perform(reader.association, request, around))
    assert [s.subject for s in answer.columns] == [r.obis for r in PROFILE.reads.values()]
    assert {(s.meter_id, s.read_at, s.request_id) for s in answer.columns} == {(METER, NOON, REQUEST)}
    assert answer.words.endswith("its profile file says otherwise of 1.0.1.29.0.255")


def test_a_read_by_hand_takes_the_meters_own_word_for_what_a_count_is_worth() -> None:
    one = meter()
    reader = Reader(one.identity, associations(one).answer, client=PROFILE.clients["reader"])
    reader.associate()
    wrong = replace(PROFILE, scale={Obis.from_text("1.0.1.8.0.255"): Scale(3, 30)})
    around = Circumstance(wrong, zone_named("America/Chicago"), NOON.timestamp, ClockPolicy())
    request = Request(
        REQUEST, METER, one.identity.title, RequestKind.READ_NOW, Lane.PERSON, 0, 0, int(NOON.timestamp())
    )
    answer = reader.run(perform(reader.association, request, around))
    assert {(f.name, f.unit) for f in answer.figures} == {("delivered", "Wh"), ("received", "Wh")}
    delivered = next(f.value for f in answer.figures if f.name == "delivered")
    assert delivered == int(one.registers.shown_wh()[0][0]) > 0
    assert answer.registers.value.tolist()[0] == delivered
