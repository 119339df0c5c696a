"""A bill's papers, from PostgreSQL and the interval store: the same document ever after, and a proof to the reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from tests.integration.billing.test_billing import (  # noqa: F401 - the fixture is used by its name
    FIRST,
    NOW,
    SCOPE,
    ZONE,
    World,
    _day,
    world,
)

from openami.billing.bill.record import Bill
from openami.billing.proof.rebuild import differences
from openami.contracts.day import DayTable
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.time import local_days, local_midnight

pytestmark = pytest.mark.engines
MESSAGE = 3 << 32 | 4711


async def _billed(world: World) -> Bill:  # noqa: F811
    """Return October's bill of the first place, with lines."""
    await world.billing.assign_rate(world.points, "ameren-mo-smart", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    bills = await world.billing.bills(SCOPE, world.points[0])
    bill = await world.billing.bill(SCOPE, bills[0].bill_id)
    assert bill is not None
    return bill


async def _changed_later(world: World, point: UUID) -> None:  # noqa: F811
    """Write a second version of all days, known a day after the bill."""
    rows = [
        replace(_day(point, d, 2, wh=900), known_at=NOW + timedelta(days=1))
        for d in local_days(FIRST, date(2026, 11, 9))
    ]
    await world.data.store.write_days(DayTable.from_rows(rows), token="later")


async def test_the_document_of_a_bill_is_the_same_to_the_byte_after_its_days_changed(
    world: World,  # noqa: F811
) -> None:
    bill = await _billed(world)
    papers = world.billing.papers
    before = await papers.pdf(SCOPE, bill.bill_id)
    assert before is not None
    assert before.startswith(b"%PDF")
    await _changed_later(world, world.points[0])
    assert await papers.pdf(SCOPE, bill.bill_id) == before
    statement = await papers.statement(SCOPE, bill.bill_id)
    assert statement is not None
    assert [b.wh for b in statement.bars] == [96 * 100] * 31
    assert [b.label for b in statement.history] == ["Sep 2026", "Oct 2026"]
    assert statement.reads[0].begin[1:] == ("105.600 kWh", "read by the meter at midnight")
    assert statement.due == "Tue 1 Dec 2026"


async def test_a_bill_made_again_from_what_was_known_then_is_the_same_bill_and_document(
    world: World,  # noqa: F811
) -> None:
    bill = await _billed(world)
    await _changed_later(world, world.points[0])
    found = await world.billing.papers.rebuilt(SCOPE, bill.bill_id)
    assert found is not None
    rebuilt, same_bytes = found
    assert rebuilt.differences == ()
    assert same_bytes


async def test_a_cent_a_line_or_a_read_that_was_altered_is_named(world: World) -> None:  # noqa: F811
    bill = await _billed(world)
    cent = replace(bill.lines[0], amount=bill.lines[0].amount + Decimal("0.01"))
    assert differences(replace(bill, lines=(cent, *bill.lines[1:])), bill)[0].startswith("line 1 Energy")
    assert "lines: kept 1" in " ".join(differences(replace(bill, lines=bill.lines[:1]), bill))
    assert differences(replace(bill, total=Decimal(1)), bill)[0].startswith("total: kept 1,")


async def test_the_proof_reaches_the_versions_that_were_billed_and_says_that_newer_ones_exist(
    world: World,  # noqa: F811
) -> None:
    bill = await _billed(world)
    await _changed_later(world, world.points[0])
    proof = await world.billing.papers.proof(SCOPE, bill.bill_id)
    assert proof is not None
    assert sum(p.metered_wh or 0 for p in proof.lines if p.name.startswith("Energy")) == bill.usage_wh
    assert {(d.version, d.latest, d.wh) for d in proof.days} == {(1, 2, 9_600)}
    assert len(proof.days) == 31
    assert proof.ends == ()
    assert proof.lines[0].clause.path.startswith("versions[")


async def test_a_day_of_a_bill_is_followed_to_raw_readings_with_the_number_of_their_frame(
    world: World,  # noqa: F811
) -> None:
    bill = await _billed(world)
    start = int(local_midnight(date(2026, 10, 7), ZONE).timestamp())
    count = 90
    await world.data.store.write_readings(
        ReadingBatch(
            uuid_column([world.meters[0]] * count), np.full(count, 1, np.uint8),
            np.arange(start, start + count * 900, 900), np.full(count, 900, np.uint32), np.full(count, 100),
            np.zeros(count, np.uint16), np.full(count, Source.PUSH, np.uint8), np.full(count, MESSAGE, np.uint64),
        ),
        token="raw",
    )  # fmt: skip
    readings = await world.billing.papers.readings(SCOPE, bill.bill_id, date(2026, 10, 7))
    assert readings is not None
    assert len(readings) == 96
    first, last = readings[0], readings[-1]
    assert (first.source, first.value, first.generation, first.counter) == ("push", 100, 3, 4711)
    assert first.price_period == "Winter off-peak"
    assert (last.source, last.value, last.counter) == ("none", None, None)
    assert await world.billing.papers.readings(SCOPE, bill.bill_id, date(2026, 9, 7)) == ()


async def test_a_bill_that_is_not_there_has_no_papers(world: World) -> None:  # noqa: F811
    papers = world.billing.papers
    nobody = UUID(int=1)
    day = datetime(2026, 10, 1, tzinfo=UTC).date()
    assert await papers.statement(SCOPE, nobody) is None
    assert await papers.pdf(SCOPE, nobody) is None
    assert await papers.proof(SCOPE, nobody) is None
    assert await papers.readings(SCOPE, nobody, day) is None
    assert await papers.rebuilt(SCOPE, nobody) is None
