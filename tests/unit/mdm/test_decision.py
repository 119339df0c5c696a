"""What a decision may be, and what it does to readings: refusals name place and mend, nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.editing.cells import decided_cells
from openami.mdm.editing.decision import UNSEEN, Decision, DecisionKind, DecisionRefusedError, Target
from openami.mdm.editing.raw import Loaded, corrected, swapped_ends
from openami.mdm.editing.scale import scaled
from openami.mdm.ports import Values
from openami.mdm.registry.records import Installation, InstalledMeter, Meter
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import grid_of
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage

ZONE = ZoneInfo("America/Chicago")
GRID = grid_of(ZONE, date(2026, 3, 8), date(2026, 3, 9), 900)
PLACE, METER, PERSON = (UUID(int=n) for n in (1, 2, 3))
AT = datetime(2026, 3, 12, tzinfo=UTC)
N = GRID.columns
WHOLE = Coverage(np.ones((1, N), bool), np.ones((1, N), bool))


def span(lo: int, hi: int, **more: Any) -> Target:
    period = Period(*(instant_from_epoch_s(int(GRID.edge_s[c])) for c in (lo, hi)))
    return Target(PLACE, more.pop("channel", Channel.DELIVERED), period, **more)


def decision(kind: DecisionKind, *targets: Target, at: datetime = AT, **more: Any) -> Decision:
    return Decision(uuid4(), kind, targets, "looked at the meter", PERSON, at, **more)


def matrix(value: np.ndarray, present: np.ndarray | None = None) -> Matrix:
    columns = np.flatnonzero(np.ones(N, bool) if present is None else present)
    return placed(
        GRID, 1, row=np.zeros(len(columns), np.int64), start_s=GRID.start_s[columns], value=value[columns],
        quality=np.zeros(len(columns), np.uint16),
    )  # fmt: skip


def cells(kind_or: Decision, *more: Decision, raw: Matrix | None = None) -> Any:
    return decided_cells(
        GRID, [PLACE], Channel.DELIVERED, [kind_or, *more], matrix=raw or matrix(np.arange(N)), coverage=WHOLE
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: decision(DecisionKind.REPLACE, span(0, 4)), "no new values"),
        (lambda: decision(DecisionKind.REPLACE, span(0, 4, values=(1, 2, 3))), "3 values for 4 intervals"),
        (lambda: decision(DecisionKind.REPLACE, span(0, 2, values=(5, -1))), "never negative"),
        (lambda: decision(DecisionKind.ACCEPT, span(0, 1, values=(5,))), "values are for replace"),
        (lambda: decision(DecisionKind.ACCEPT, span(0, 1, seen=(-5,))), "never negative"),
        (lambda: decision(DecisionKind.SHIFT_CLOCK, span(0, 4)), "shift of the clock by 0 s"),
        (lambda: decision(DecisionKind.SHIFT_CLOCK, span(0, 4), shift_s=600), "no whole number of intervals"),
        (lambda: decision(DecisionKind.ACCEPT, span(0, 4), shift_s=900), "shifts no clock"),
        (lambda: decision(DecisionKind.SCALE, span(0, 4)), "other than one"),
        (lambda: decision(DecisionKind.SCALE, span(0, 4), numerator=0), "above zero"),
        (lambda: decision(DecisionKind.SWAP_CHANNELS, span(0, 4, channel=Channel.VOLTAGE)), "delivered and received"),
        (lambda: decision(DecisionKind.ESTIMATE_AGAIN, span(0, 4), rules=("spike",)), "only an acceptance"),
        (lambda: decision(DecisionKind.ACCEPT), "1 to"),
        (lambda: replace(decision(DecisionKind.ACCEPT, span(0, 4)), reason=" ok  "), "2 characters"),
        (lambda: decision(DecisionKind.ACCEPT, span(0, 4, interval_s=7)), "whole number of intervals"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_in_words(make: Any, words: str) -> None:
    with pytest.raises(DecisionRefusedError, match=words):
        make()


def test_an_acceptance_holds_only_while_the_reading_is_the_one_that_was_seen() -> None:
    accepted = decision(DecisionKind.ACCEPT, span(10, 12, seen=(10, 99)))
    found, _ = cells(accepted)
    assert np.flatnonzero(found.accepted[0]).tolist() == [10]
    assert found.settled == ()
    assert not found.settles(0, 10, 12, "spike")


def test_an_acceptance_of_named_rules_settles_what_they_say_inside_its_span_alone() -> None:
    found, _ = cells(decision(DecisionKind.ACCEPT, span(10, 20), rules=("spike",)))
    assert found.settles(0, 10, 12, "spike")
    assert not found.settles(0, 10, 12, "stuck")
    assert not found.settles(0, 9, 12, "spike")


def test_a_missing_reading_that_was_accepted_as_missing_is_settled_until_it_comes() -> None:
    came = np.ones(N, bool)
    came[10] = False
    accepted = decision(DecisionKind.ACCEPT, span(10, 11, seen=(UNSEEN,)))
    found, _ = cells(accepted, raw=matrix(np.arange(N), came))
    assert found.settles(0, 10, 11, "missing")
    found, _ = cells(accepted)
    assert not found.settles(0, 10, 11, "missing")


def test_a_reading_that_came_after_the_refusal_of_another_is_believed() -> None:
    found, _ = cells(decision(DecisionKind.ESTIMATE_AGAIN, span(10, 12, seen=(10, 99))))
    assert np.flatnonzero(found.refused[0]).tolist() == [10]


def test_the_later_of_two_decisions_about_a_cell_stands() -> None:
    first = decision(DecisionKind.REPLACE, span(10, 14, values=(1, 2, 3, 4)))
    later = decision(DecisionKind.ESTIMATE_AGAIN, span(12, 14), at=AT + timedelta(hours=1))
    for order in ((first, later), (later, first)):
        found, _ = cells(*order)
        assert np.flatnonzero(found.replaced[0]).tolist() == [10, 11]
        assert np.flatnonzero(found.refused[0]).tolist() == [12, 13]


def test_an_entered_value_stays_over_a_late_reading_and_says_so() -> None:
    edit = decision(DecisionKind.REPLACE, span(10, 12, values=(7, 8), seen=(UNSEEN, UNSEEN)))
    found, said = cells(edit)
    assert found.value[0, 10:12].tolist() == [7, 8]
    assert [(s.rule, s.is_failure, s.evidence["intervals"]) for s in said] == [("edit_overtaken", False, 2)]


def test_a_span_that_begins_before_the_grid_gives_the_intervals_inside_their_own_values() -> None:
    start = instant_from_epoch_s(int(GRID.edge_s[0]) - 1800)
    target = Target(PLACE, Channel.DELIVERED, Period(start, start + timedelta(hours=1)), values=(1, 2, 3, 4))
    found, _ = cells(decision(DecisionKind.REPLACE, target))
    assert found.value[0, :3].tolist() == [3, 4, 0]


def test_a_decision_about_another_place_or_channel_or_interval_length_changes_nothing() -> None:
    elsewhere = replace(span(0, 4), service_point_id=uuid4())
    for target in (elsewhere, span(0, 4, channel=Channel.RECEIVED), span(0, 4, interval_s=1800)):
        assert cells(decision(DecisionKind.ESTIMATE_AGAIN, target)) == (None, [])


def loaded(columns: np.ndarray, value: np.ndarray, reads: list[tuple[int, int]], meter: UUID = METER) -> Loaded:
    n, r = len(columns), len(reads)
    values = Values(uuid_column([meter] * n), GRID.start_s[columns], value.astype(np.int64), np.zeros(n, np.uint16))
    registers = RegisterBatch(
        uuid_column([meter] * r), np.full(r, 1, np.uint8), GRID.edge_s[[c for c, _ in reads]],
        np.array([v for _, v in reads], np.int64), np.ones(r, np.uint8), np.arange(r, dtype=np.uint64),
    )  # fmt: skip
    return Loaded(values, registers)


def hung(**more: Any) -> list[InstalledMeter]:
    start = instant_from_epoch_s(int(GRID.edge_s[0]) - 86_400)
    return [InstalledMeter(Installation(uuid4(), PLACE, METER, start, **more), Meter(METER, "S", AT))]


def test_a_wrong_clock_moves_readings_and_reads_of_its_span_and_no_others() -> None:
    rows = loaded(np.arange(20), np.arange(20), [(4, 40), (8, 80), (12, 120)])
    shifted = decision(DecisionKind.SHIFT_CLOCK, span(4, 12), shift_s=3600)
    found = corrected(rows, None, hung(), Channel.DELIVERED, [shifted])
    moved = (found.readings.start - rows.readings.start).tolist()
    assert moved == [0] * 4 + [3600] * 8 + [0] * 8
    # A read belongs to the span whose end it closes: the one at its start was taken before.
    assert (found.registers.at - rows.registers.at).tolist() == [0, 3600, 3600]
    assert rows.readings.start.tolist() == GRID.start_s[:20].tolist()


def test_rejected_reads_are_left_out_and_the_intervals_stay() -> None:
    rows = loaded(np.arange(20), np.arange(20), [(4, 40), (8, 80), (12, 120)])
    found = corrected(rows, None, hung(), Channel.DELIVERED, [decision(DecisionKind.REJECT_READS, span(7, 8))])
    assert found.registers.value.tolist() == [40, 120]
    assert found.readings.value.tolist() == list(range(20))


@pytest.mark.parametrize("named", [Channel.DELIVERED, Channel.RECEIVED])
def test_crossed_channels_change_places_in_their_span_whichever_of_them_is_named(named: Channel) -> None:
    mine = loaded(np.arange(8), np.full(8, 5), [(4, 40), (8, 80)])
    other = loaded(np.arange(8), np.full(8, 9), [(4, 400), (8, 800)])
    swap = decision(DecisionKind.SWAP_CHANNELS, span(4, 8, channel=named))
    found = corrected(mine, other, hung(), Channel.DELIVERED, [swap])
    assert found.readings.value.tolist() == [5] * 4 + [9] * 4
    assert found.registers.value.tolist() == [40, 800]
    ends = swapped_ends(hung(in_reads={Channel.DELIVERED: 1, Channel.RECEIVED: 2}), [swap])
    assert ends[0].installation.in_reads == {Channel.DELIVERED: 1, Channel.RECEIVED: 2}


def test_the_installer_s_reads_cross_with_the_channels() -> None:
    one = hung(in_reads={Channel.DELIVERED: 1, Channel.RECEIVED: 2})
    start = one[0].installation.start
    target = Target(PLACE, Channel.DELIVERED, Period(start, start + timedelta(days=1)))
    ends = swapped_ends(one, [decision(DecisionKind.SWAP_CHANNELS, target)])
    assert ends[0].installation.in_reads == {Channel.RECEIVED: 1, Channel.DELIVERED: 2}


def test_a_scaled_span_keeps_the_exact_sum_and_cuts_brackets_that_it_splits() -> None:
    value = np.full(N, 7)
    brackets = Brackets(
        np.zeros(3, np.int64),
        np.array([0, 8, 16]),
        np.array([8, 16, 32]),
        np.array([56, 56, 112]),
        np.ones(3, np.int64),
    )
    scale = decision(DecisionKind.SCALE, span(8, 24), numerator=3, denominator=2)
    found, kept, limit = scaled(
        GRID, [PLACE], Channel.DELIVERED, [scale], matrix=matrix(value), brackets=brackets, limit=np.array([100])
    )
    assert int(found.values[0, 8:24].sum()) == 16 * 7 * 3 // 2
    assert set(found.values[0, 8:24].tolist()) == {10, 11}
    assert (found.values[0, :8] == 7).all()
    assert (kept.lo.tolist(), kept.energy.tolist(), limit.tolist()) == ([0, 8], [56, 84], [150])


def test_a_scaled_span_leaves_open_what_coarse_registers_and_reads_off_the_edge_leave_open() -> None:
    one = np.ones(2, np.int64)
    brackets = Brackets(
        np.array([0, 1]), one * 0, one * 8, one * 9_000, one * 1_000, one * 1_000, one * 60, np.array([-60, 0])
    )
    scale = decision(DecisionKind.SCALE, span(0, 8), numerator=2, denominator=1)
    two = placed(
        GRID, 2, row=np.arange(2), start_s=GRID.start_s[:2], value=np.ones(2, np.int64), quality=np.zeros(2, np.uint16)
    )
    _, kept, _ = scaled(
        GRID, [PLACE, UUID(int=9)], Channel.DELIVERED, [scale], matrix=two, brackets=brackets, limit=one * 12_000
    )
    assert kept.slack.tolist() == [2_000, 1_000]
    assert (kept.off_lo_s.tolist(), kept.off_hi_s.tolist()) == ([60, 60], [-60, 0])
