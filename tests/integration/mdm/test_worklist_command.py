"""People at the worklist: what waits, what a preview says, what they decide, and who else must agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import text
from tests.integration.mdm.office import LATER, Office, office_over
from tests.integration.mdm.test_decisions import DAY
from tests.integration.mdm.test_validation import NOW, ZONE

from openami.app.engines.postgres import PostgresEngine
from openami.app.readings import editing_desk
from openami.kernel.errors import MisuseError
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.editing.decision import DecisionRefusedError
from openami.mdm.editing.limits import EditLimits
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.security.access.gate import AccessDeniedError
from openami.security.access.order import OrderRefusedError

pytestmark = pytest.mark.engines
NOTES = ("--severity", "any")
"""With what validation settled by itself."""


@pytest.fixture
async def office(
    postgres: PostgresEngine, fake_store: Any, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    async with office_over(postgres, fake_store, short_tmp, monkeypatch) as made:
        await made.sent(3)
        lost = np.arange(int(made.grid.day_at[DAY]) + 10, int(made.grid.day_at[DAY]) + 60)
        gone = set(made.grid.start_s[lost].tolist())
        meters = set(made.meters[1:])
        made.store.intervals = {
            k: v for k, v in made.store.intervals.items() if v.meter_id not in meters or v.start not in gone
        }
        await made.run()
        yield made


async def test_the_list_shows_what_waits_and_the_log_who_looked(office: Office) -> None:
    assert (await office.says("list"))["total"] == 0, "what was estimated and scaled waits for nobody"
    page = await office.says("list", *NOTES)
    assert (page["total"], page["findings"]) == (2, 2)
    assert {i["service_point"] for i in page["items"]} == {str(p) for p in office.points[1:]}
    assert {(i["rule"], i["first"], i["bill_on"], i["is_billed"]) for i in page["items"]} == {
        ("missing", str(office.grid.day(DAY)), "2026-04-01", False)
    }
    stakes = [i["stake_wh"] for i in page["items"]]
    assert stakes == sorted(stakes, reverse=True)
    assert min(stakes) > 0
    assert (await office.says("list", *NOTES, "--min-kwh", "1000000"))["total"] == 0
    assert (await office.says("list", *NOTES, "--rule", "spike"))["total"] == 0
    assert (await office.says("list", *NOTES, "--bill-before", "2026-03-31"))["total"] == 0
    assert (await office.says("list", *NOTES, "--limit", "1", "--offset", "1"))["items"] == page["items"][1:]
    assert ("worklist", "read", True, 2) in await office.looks()


async def test_a_viewer_neither_looks_nor_edits_and_both_denials_are_in_the_log(office: Office) -> None:
    for words in (("list",), ("decisions",)):
        with pytest.raises(AccessDeniedError):
            await office.says(*words, by="vera")
    with pytest.raises(AccessDeniedError):
        await office.edit("--yes", by="vera")
    assert {allowed for *_, allowed, _ in await office.looks()} == {False}


async def test_a_preview_shows_the_old_and_the_new_and_changes_nothing(office: Office) -> None:
    said = await office.edit()
    assert (said["state"], said["second_person"], said["effect"]["days"]) == ("preview", None, 1)
    (change,) = said["changes"]
    at = int(office.grid.day_at[DAY]) + 40
    assert change["after_total"] - change["before_total"] == 23 - int(office.truth[0][at : at + 2].sum())
    assert (await office.run(known_at=LATER)).versions == 0
    assert await office.says("decisions") == []


async def test_what_a_preview_said_is_what_happens(office: Office) -> None:
    said = await office.edit("--yes")
    assert said["state"] == "in_force"
    report = await office.run(known_at=LATER)
    assert (report.versions, report.findings) == (said["effect"]["days"], said["effect"]["raised"])
    row = await office.one_day(0, DAY)
    assert row.values[40:42].tolist() == [11, 12]
    (head,) = await office.says("decisions", "--place", str(office.points[0]))
    assert (head["state"], head["kind"], head["reason"]) == ("in_force", "replace", "the display said so")


async def test_everything_that_a_filter_leaves_is_accepted_as_one_decision(office: Office) -> None:
    said = await office.says("bulk", "accept", "--rule", "missing", "--reason", "the cell was dark", "--yes")
    assert (said["effect"]["settled"], said["effect"]["days"]) == (2, 0)
    await office.run(known_at=LATER)
    assert (await office.says("list", *NOTES))["total"] == 0
    undone = await office.says("undo", said["decision"], "--reason", "it was not dark", "--yes")
    assert (undone["state"], undone["effect"]["raised"]) == ("undone", 2)
    await office.run(known_at=LATER)
    assert (await office.says("list", *NOTES))["total"] == 2


async def test_a_clock_that_is_put_right_moves_every_channel_that_it_stamped(office: Office) -> None:
    place, meter = uuid4(), uuid4()
    await office.registry.add_service_points([ServicePoint(place, str(ZONE), NOW)])
    await office.registry.add_meters([Meter(meter, "S-three", NOW)])
    start = instant_from_epoch_s(int(office.grid.edge_s[0]))
    await office.registry.install([Installation(uuid4(), place, meter, start)], at=NOW)
    words = ("shift", str(place), "2026-03-01", "2026-03-02", "--seconds", "-3600", "--channel", "voltage")
    said = await office.says(*words, "--reason", "the clock was fast")
    assert (said["spans"], said["words"]) == (3, "shift the clock by -3600 s at 1 place")


async def test_beyond_what_one_may_change_alone_another_person_must_approve(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing_desk, "EditLimits", lambda: EditLimits(place_wh=500))
    said = await office.edit("--yes", values="11,9000")
    assert (said["state"], "one place changes by" in said["second_person"]) == ("waiting", True)
    assert (await office.run(known_at=LATER)).versions == 0
    with pytest.raises(OrderRefusedError, match="another must"):
        await office.says("approve", said["decision"], by="anna")
    with pytest.raises(AccessDeniedError):
        await office.says("approve", said["decision"], by="vera")
    head = await office.says("approve", said["decision"], by="ben")
    assert head["state"] == "in_force"
    assert head["approved_by"] not in {None, head["by"]}
    assert (await office.run(known_at=LATER)).versions == 1
    with pytest.raises(DecisionRefusedError, match="nothing of decision"):
        await office.says("approve", said["decision"], by="ben")
    undo = await office.says("undo", said["decision"], "--reason", "the display was misread", "--yes")
    assert undo["state"] == "undoing"
    assert (await office.run(known_at=LATER)).versions == 0
    assert (await office.says("approve", said["decision"], by="ben"))["state"] == "undone"
    assert (await office.run(known_at=LATER)).versions == 1


async def test_a_waiting_decision_is_taken_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing_desk, "EditLimits", lambda: EditLimits(place_wh=500))
    said = await office.edit("--yes", values="11,9000")
    await office.says("withdraw", said["decision"])
    with pytest.raises(DecisionRefusedError, match="withdrawn"):
        await office.says("approve", said["decision"], by="ben")


async def test_an_altered_span_fits_no_approval(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing_desk, "EditLimits", lambda: EditLimits(place_wh=500))
    said = await office.edit("--yes", values="11,9000")
    async with office.audit.begin() as connection:
        await connection.execute(text("update mdm.decision_target set new_values = '{11,90000}'"))
    with pytest.raises(DecisionRefusedError, match="not what its order was made for"):
        await office.says("approve", said["decision"], by="ben")


MISUSES = [
    (("estimate", "{place}", "2026-03-02", "2026-03-01", "--reason", "looked at it"), "not after"),
    (("estimate", "{place}", "soon", "2026-03-01", "--reason", "looked at it"), "no day and no time"),
    (
        ("estimate", "{place}", "2026-03-01", "2026-03-01", "--channel", "x", "--reason", "looked"),
        "one of delivered",
    ),
    (("scale", "{place}", "2026-03-01", "2026-03-01", "--factor", "2", "--reason", "looked"), "a fraction"),
    (("replace", "{place}", "2026-03-01", "2026-03-01", "--values", "a", "--reason", "looked"), "whole numbers"),
    (("bulk", "accept", "--reason", "looked at it"), "names its rules"),
    (("bulk", "forget", "--rule", "missing", "--reason", "looked at it"), "accept or estimate"),
    (("list", "--order", "random"), "pressing"),
    (("list", "--severity", "bad"), "fail, warn or any"),
    (("decisions", "--state", "lost"), "waiting"),
]
REFUSALS = [
    (("estimate", "{place}", "2026-03-01", "2026-03-01", "--reason", "x"), "5 to 500"),
    (("estimate", "{place}", "2025-03-01", "2025-03-01", "--reason", "looked at it"), "no meter hung"),
    (("shift", "{place}", "2026-03-01", "2026-03-01", "--seconds", "60", "--reason", "looked"), "whole number of"),
    (("undo", "{other}", "--reason", "looked at it"), "no decision"),
    (("bulk", "accept", "--rule", "nothing", "--reason", "looked at it"), "leaves 0 items"),
]


async def test_what_cannot_be_meant_or_decided_is_refused_in_words(office: Office) -> None:
    for kind, cases in ((MisuseError, MISUSES), (DecisionRefusedError, REFUSALS)):
        for words, error in cases:
            with pytest.raises(kind, match=error):
                await office.says(*(w.format(place=office.points[0], other=uuid4()) for w in words))
