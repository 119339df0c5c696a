"""Calls over the simulated radio: seconds long, sometimes lost, the same again for the same seed, counted."""

from __future__ import annotations

import numpy as np
import pytest

from openami.app.territory_radio import RadioCell
from openami.kernel.ids import SystemTitle
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.protocol.envelope.wrapper import wrap
from openami.sim.radio import airtime_s, radio_call

METER = SystemTitle(b"OAM\0\0\0\0\1")
REQUEST = wrap(2, 1, b"\xc8\5hello")


def cell(answers: list[bytes], slept: list[float]) -> RadioCell:
    async def answer(title: SystemTitle, client: int, octets: bytes) -> list[bytes]:
        assert (title, client, octets) == (METER, 2, b"\xc8\5hello")
        return answers

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return RadioCell(7, {METER: 3}, answer, sleep)


async def test_an_answer_comes_back_between_the_same_ports_after_some_seconds() -> None:
    slept: list[float] = []
    radio = cell([b"\xcc\5world"], slept)
    assert await radio.deliver(METER, REQUEST) == [wrap(1, 2, b"\xcc\5world")]
    assert len(slept) == 2
    assert 0 < sum(slept) < 20
    assert radio.airtime_s >= airtime_s(len(REQUEST)) * 2
    assert radio.calls == {"answered": 1}


async def test_a_meter_of_another_cell_is_not_heard_and_a_silent_one_is_no_answer() -> None:
    radio = cell([], [])
    with pytest.raises(UnknownMeterError):
        await radio.deliver(SystemTitle(bytes(8)), REQUEST)
    with pytest.raises(DeliveryError):
        await radio.deliver(METER, REQUEST)
    assert radio.calls == {"silent": 1}


def test_calls_are_the_same_for_the_same_seed_and_as_long_and_lossy_as_they_should_be() -> None:
    calls = [radio_call(1, meter=m, number=n) for m in range(40) for n in range(50)]
    assert calls == [radio_call(1, meter=m, number=n) for m in range(40) for n in range(50)]
    took = np.array([c.down_s + c.up_s for c in calls])
    assert 1.0 < np.median(took) < 2.0
    assert np.quantile(took, 0.95) < 5.0
    assert took.max() < 25.0
    assert np.mean([c.tries for c in calls]) == pytest.approx(2 / 0.97, rel=0.02)
    assert np.mean([not (c.reaches and c.returns) for c in calls]) < 0.002
