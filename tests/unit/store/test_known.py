"""What was known at an instant stays what it was, however writes, questions and clocks fall together."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openami.kernel.clock import FixedClock
from openami.kernel.time import epoch_s, instant_from_epoch_s
from openami.mdm.adapters import store_known
from openami.mdm.adapters.store_known import KnownClock
from openami.mdm.ports import StoreUnavailableError

START_S = 1_772_928_000


class Hand:
    """A clock that a test moves, back as well."""

    def __init__(self, second: int = START_S) -> None:
        self.second = second

    def now(self) -> object:
        return instant_from_epoch_s(self.second)


class Histories(RuleBasedStateMachine):
    """Writes that begin and end apart, questions about any second, clocks that jump, and restarts.

    A question that would wait is tried by settling with no patience: it is then simply not answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.file = Path(self._folder()) / "known"
        self.known = KnownClock(self.hand, self.file)  # type: ignore[arg-type]
        self.open: list[tuple[object, int, int]] = []
        self.seen: list[tuple[int, int]] = []
        self.answers: dict[int, frozenset[int]] = {}
        self.rows = 0

    @staticmethod
    def _folder() -> str:
        import tempfile

        return tempfile.mkdtemp(prefix="oa-kn-")

    def teardown(self) -> None:
        import shutil

        shutil.rmtree(self.file.parent, ignore_errors=True)

    @rule(seconds=st.integers(-20, 20))
    def move_the_clock(self, seconds: int) -> None:
        self.hand.second += seconds

    @rule()
    def begin_a_write(self) -> None:
        block = self.known.write()
        self.rows += 1
        self.open.append((block, block.__enter__(), self.rows))

    @rule(which=st.integers(0, 5))
    def end_a_write(self, which: int) -> None:
        if self.open:
            block, stamp, row = self.open.pop(which % len(self.open))
            self.seen.append((stamp, row))
            block.__exit__(None, None, None)  # type: ignore[attr-defined]

    @rule()
    def restart_the_store(self) -> None:
        # What was under way is lost, or was kept just before: either is possible after a kill.
        self.seen += [(stamp, row) for _, stamp, row in self.open if row % 2]
        self.open.clear()
        self.known = KnownClock(self.hand, self.file)  # type: ignore[arg-type]

    @rule(back=st.integers(-5, 40))
    def ask(self, back: int) -> None:
        try:
            second = self.known.settle(self.hand.second - back)
        except StoreUnavailableError:
            return
        answer = frozenset(row for stamp, row in self.seen if stamp <= second)
        assert self.answers.setdefault(second, answer) == answer

    @invariant()
    def every_answer_stays_what_it_was(self) -> None:
        for second, answer in self.answers.items():
            assert frozenset(row for stamp, row in self.seen if stamp <= second) == answer, second


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_known, "WAIT_S", 0.0)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40)


def test_an_answer_waits_for_a_write_that_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_known, "WAIT_S", 20.0)
    known, order = KnownClock(FixedClock(instant_from_epoch_s(START_S))), []  # type: tuple[KnownClock, list[str]]
    begun, let = threading.Event(), threading.Event()

    def write() -> None:
        with known.write():
            begun.set()
            let.wait(10)
            order.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(10)
    assert known.settle(START_S - 1) == START_S - 1
    threading.Timer(0.02, let.set).start()
    known.settle(START_S)
    order.append("answered")
    thread.join(10)
    assert order == ["written", "answered"]


def test_a_write_after_an_answer_of_the_same_second_is_known_a_second_later() -> None:
    known = KnownClock(FixedClock(instant_from_epoch_s(START_S)))
    assert known.settle(START_S) == START_S
    with known.write() as stamp:
        assert stamp == START_S + 1


def test_a_question_about_the_future_is_one_about_now() -> None:
    clock = FixedClock(instant_from_epoch_s(START_S))
    assert KnownClock(clock).settle(epoch_s(clock.now() + timedelta(days=400))) == START_S
