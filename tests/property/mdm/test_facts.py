"""No history of entries gives a service point two values at one time, or forgets what was believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from openami.mdm.registry.facts import Fact, FactEntry, FactKind
from openami.mdm.registry.timeline import cut_in, value_at

PLACE = UUID(int=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@st.composite
def entries(draw: st.DrawFn) -> list[FactEntry]:
    made = []
    for _ in range(draw(st.integers(1, 12))):
        first = draw(st.integers(0, DAYS - 1))
        last = draw(st.none() | st.integers(first + 1, DAYS))
        value = draw(st.none() | st.sampled_from(["T1", "T2", "T3"]))
        made.append(FactEntry(PLACE, FactKind.TRANSFORMER, value, day(first), None if last is None else day(last)))
    return made


def played(history: list[FactEntry]) -> list[list[Fact]]:
    """Return what was believed after each entry."""
    believed: list[Fact] = []
    told = [believed]
    for number, entry in enumerate(history):
        cut = cut_in(believed, entry, at=day(100 + number))
        believed = sorted([f for f in believed if f not in cut.closed] + list(cut.opened), key=lambda f: f.start)
        told.append(believed)
    return told


@given(entries())
def test_a_place_never_has_two_values_at_one_time(history: list[FactEntry]) -> None:
    for believed in played(history):
        for a, b in pairwise(believed):
            assert a.end is not None
            assert a.end <= b.start


@given(entries())
def test_an_entry_changes_its_own_period_alone(history: list[FactEntry]) -> None:
    told = played(history)
    for before, after, entry in zip(told, told[1:], history, strict=False):
        for number in range(DAYS + 2):
            inside = entry.start <= day(number) and (entry.end is None or day(number) < entry.end)
            assert value_at(after, day(number)) == (entry.value if inside else value_at(before, day(number)))


@given(entries())
def test_the_same_entry_again_changes_nothing(history: list[FactEntry]) -> None:
    believed = played(history)[-1]
    assert cut_in(believed, history[-1], at=day(500)).is_empty
