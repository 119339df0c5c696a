"""A read that nobody took is estimated and says so; what passed between two meters is an estimate of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.registry.between import Known, register_at, unmetered
from openami.mdm.registry.change import EndRead
from openami.mdm.registry.desk import Unreadable
from openami.mdm.registry.errors import MissingReadError, RegistryError

NONE = np.zeros(0, np.int64)
START = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_read_of_that_very_instant_is_no_estimate() -> None:
    known = Known(np.array([0, 900]), np.array([5, 9]), NONE, NONE, 900, None)
    assert register_at(known, 900, because="gone", meter="S-1") == EndRead(9)


def test_a_register_of_which_nothing_is_known_cannot_be_estimated() -> None:
    with pytest.raises(MissingReadError, match="S-1"):
        register_at(Known(NONE, NONE, NONE, NONE, 900, None), 900, because="gone", meter="S-1")


def test_an_instant_inside_an_interval_takes_its_part_and_the_register_truncates() -> None:
    known = Known(np.array([0]), np.array([100_000]), np.array([0, 900]), np.array([900, 900]), 900, 1_000_000, 1000)
    assert register_at(known, 1350, because="gone", meter="S-1").value == 101_000
    fine = Known(known.read_s, known.read, known.start_s, known.value, 900, 1_000_000)
    assert register_at(fine, 1350, because="gone", meter="S-1").value == 101_350


def test_a_later_read_is_carried_back() -> None:
    known = Known(np.array([1800]), np.array([50]), np.array([0, 900]), np.array([30, 40]), 900, 1000)
    assert register_at(known, 0, because="gone", meter="S-1") == EndRead(980, "gone")


def test_what_passed_between_two_meters_is_the_mean_of_days_before() -> None:
    period = Period(START, START + timedelta(hours=6))
    estimate = unmetered(Channel.DELIVERED, period, np.array([24_000, 48_000]))
    assert (estimate.value_wh, estimate.method, estimate.evidence["days"]) == (9000, "mean_of_days", 2)
    assert unmetered(Channel.DELIVERED, period, NONE).method == "no_history"
    assert unmetered(Channel.DELIVERED, period, NONE, by_hand=77).value_wh == 77


def test_unreadable_needs_a_reason() -> None:
    with pytest.raises(RegistryError, match="reason"):
        Unreadable(" ")
