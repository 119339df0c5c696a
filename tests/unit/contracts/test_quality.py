"""Bits of a raw reading's quality are stored for ever: each must mean one thing."""

from __future__ import annotations

from openami.contracts.quality import RawQuality


def test_no_two_marks_share_a_bit_and_all_fit_the_column() -> None:
    marks = {name: int(mark) for name, mark in RawQuality.__members__.items() if mark}
    assert len(set(marks.values())) == len(marks)
    assert all(mark & (mark - 1) == 0 and mark < 2**16 for mark in marks.values())


def test_a_mark_that_the_store_sets_is_none_that_a_meter_can_send() -> None:
    sent = RawQuality(sum(m for m in RawQuality if m is not RawQuality.CONFLICTING))
    assert not sent & RawQuality.CONFLICTING
