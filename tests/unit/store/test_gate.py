"""Writes are held for a snapshot and go on after it, whatever becomes of who asked."""

from __future__ import annotations

import threading
import time

import pytest

from openami.mdm.adapters.store_gate import LONGEST_HOLD_S, WriteGate
from openami.mdm.ports import StoreError, StoreUnavailableError


def writing(gate: WriteGate, done: list[int], number: int) -> threading.Thread:
    def write() -> None:
        with gate.write():
            done.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_a_write_waits_for_the_end_of_a_hold() -> None:
    gate, done = WriteGate(), []  # type: tuple[WriteGate, list[int]]
    gate.hold("one", 20)
    thread = writing(gate, done, 1)
    time.sleep(0.02)
    assert done == []
    gate.require_held("one")
    gate.release("one")
    thread.join(10)
    assert done == [1]


def test_a_hold_begins_when_the_writes_under_way_have_ended() -> None:
    gate, begun, seen = WriteGate(), threading.Event(), []  # type: tuple[WriteGate, threading.Event, list[str]]
    let = threading.Event()

    def slow() -> None:
        with gate.write():
            begun.set()
            let.wait(10)
            seen.append("written")

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(10)
    threading.Timer(0.02, let.set).start()
    gate.hold("one", 20)
    seen.append("held")
    thread.join(10)
    assert seen == ["written", "held"]


def test_a_hold_whose_owner_died_ends_by_itself_and_cannot_be_used_afterwards() -> None:
    now = [0.0]
    gate, done = WriteGate(lambda: now[0]), []  # type: tuple[WriteGate, list[int]]
    gate.hold("one", 5)
    now[0] = 5.1
    writing(gate, done, 1).join(10)
    assert done == [1]
    with pytest.raises(StoreUnavailableError, match="has ended"):
        gate.require_held("one")


def test_one_backup_at_a_time_holds_writes() -> None:
    gate = WriteGate()
    gate.hold("one", 5)
    with pytest.raises(StoreUnavailableError, match="another backup"):
        gate.hold("two", 5)
    gate.release("two")
    gate.require_held("one")


@pytest.mark.parametrize("seconds", [0, -1, LONGEST_HOLD_S + 1])
def test_a_hold_without_a_sound_length_is_refused(seconds: float) -> None:
    with pytest.raises(StoreError, match="lasts up to"):
        WriteGate().hold("one", seconds)


def test_a_hold_gives_up_when_a_write_does_not_end_and_lets_others_go_on() -> None:
    gate = WriteGate()
    with gate.write(), pytest.raises(StoreUnavailableError, match="did not end in time"):
        gate.hold("one", 0.02)
    done: list[int] = []
    writing(gate, done, 1).join(10)
    assert done == [1]
