"""From the head-end's books to the words of the staff pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from openami.app.web.fleet import _cell_view, _read_view, _spans
from openami.headend.api import AskedRequest
from openami.headend.keeping.answer import Figure
from openami.headend.keeping.missing import Explanation, Link
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState
from openami.headend.state_ports import LevelRow
from openami.kernel.ids import SystemTitle
from openami.portal.views.fleet import ReadState

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
REAL_S = 1_800_000_000.0
READ = Request(
    UUID(int=1), UUID(int=2), SystemTitle(b"OAM\x00\x00\x00\x00\x01"), RequestKind.READ_NOW, Lane.PERSON, 0, 0,
    int(REAL_S), expires_s=REAL_S + 30,
)  # fmt: skip


def row(day: int, within_1h: int, *, expected: int = 100, later: int = 0) -> LevelRow:
    return LevelRow(date(2026, 3, day), "C1", (within_1h, within_1h + 1, within_1h + 2, 98, later, 0, expected))


def test_completeness_at_an_age_is_taken_from_days_that_are_old_enough() -> None:
    rows = [row(d, n) for d, n in ((4, 80), (5, 90), (6, 94), (7, 96), (8, 92), (9, 50))]
    view = _cell_view("C1", rows, NOW, (7, 6), 3)
    # 1 h: the 7th, 8th and today; 6 h: 6th to 8th; 24 h: 5th to 7th; 72 h: the 4th and 5th.
    assert view.completeness == pytest.approx([238 / 300, 285 / 300, 286 / 300, 196 / 200])
    assert (view.due, view.registers_due, view.registers_read, view.recovering) == ([300, 300, 300, 200], 7, 6, 3)
    assert view.given_up == 4


def test_a_cell_without_days_says_nothing_rather_than_zero() -> None:
    view = _cell_view("", [row(9, 0, expected=0)], NOW, (0, 0), 0)
    assert (view.cell, view.completeness) == ("no cell", [None, None, None, None])


def test_neighbors_missing_for_one_cause_are_one_span() -> None:
    lost = Explanation(Link.PUSH_LOST, "lost", NOW, "wait")
    dark = Explanation(Link.NO_SUPPLY, "dark", NOW, "")
    waiting = replace(READ, state=RequestState.WAITING, not_before_s=REAL_S + 60)
    asked = Explanation(Link.ASKED, "asked", NOW, "wait")
    spans = _spans([(10, lost, None), (11, lost, None), (13, lost, None), (14, dark, None), (15, asked, waiting)])
    assert [(s.start // 900, s.intervals, s.code) for s in spans] == [
        (10, 2, "push_lost"),
        (13, 1, "push_lost"),
        (14, 1, "no_supply"),
        (15, 1, "asked"),
    ]
    assert [s.next_try_at for s in spans] == [None, None, None, int(REAL_S) + 60]
    assert spans[2].action == "Nothing need be done."


@pytest.mark.parametrize(
    ("request_", "real_s", "state", "words"),
    [
        pytest.param(READ, REAL_S + 1, ReadState.QUEUED, "Waiting for its turn.", id="queued"),
        pytest.param(
            replace(READ, state=RequestState.RUNNING), REAL_S + 2, ReadState.READING, "The meter is being asked.",
            id="running",
        ),
        pytest.param(
            replace(READ, state=RequestState.GIVEN_UP, ended_at_s=REAL_S + 21, words="no answer within 10 s"),
            REAL_S + 22, ReadState.NO_ANSWER, "No answer within 10 s.", id="no answer",
        ),
        pytest.param(
            READ, REAL_S + 41, ReadState.NO_ANSWER, "The head-end did not take it up in time.", id="nobody there"
        ),
    ],
)  # fmt: skip
def test_how_a_read_by_hand_stands_is_said_in_words(
    request_: Request, real_s: float, state: ReadState, words: str
) -> None:
    view = _read_view(AskedRequest(request_, ()), real_s=real_s)
    assert (view.state, view.words) == (state, words)


def test_what_the_meter_said_is_written_as_people_read_it() -> None:
    done = replace(READ, state=RequestState.DONE, ended_at_s=REAL_S + 2.5, words="read at 12:00:01 UTC")
    view = _read_view(
        AskedRequest(done, (Figure("delivered", 24_131_402.0, "Wh"), Figure("voltage", 239.87, "V"))), real_s=REAL_S
    )
    assert [(v.name, v.value, v.unit) for v in view.values] == [
        ("Delivered register", "24,131.402", "kWh"),
        ("Voltage", "239.9", "V"),
    ]
    assert view.took_s == 2.5
