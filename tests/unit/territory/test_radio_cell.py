"""Calls over the simulated radio: seconds long, sometimes lost, the same again for the same seed, counted."""

from __future__ import annotations

import numpy as np
import pytest

from openami.app.territory.territory_radio import RadioCell
from openami.kernel.ids import SystemTitle
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.network.radio import frame_us
from openami.protocol.envelope.wrapper import wrap
from openami.sim.mesh import TerritoryAir

METER = SystemTitle(b"OAM\0\0\0\0\1")
REQUEST = wrap(2, 1, b"\xc8\5hello")


def cell(answers: list[bytes], slept: list[float]) -> RadioCell:
    async def answer(title: SystemTitle, client: int, octets: bytes) -> list[bytes]:
        assert (title, client, octets) == (METER, 2, b"\xc8\5hello")
        return answers

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    air = TerritoryAir(7, np.zeros(40, dtype=np.int64))
    return RadioCell({METER: 3}, air.cells[0], answer, lambda: 1_780_000_000, sleep)


async def test_an_answer_comes_back_between_the_same_ports_after_some_seconds() -> None:
    slept: list[float] = []
    radio = cell([b"\xcc\5world"], slept)
    assert await radio.deliver(METER, REQUEST) == [wrap(1, 2, b"\xcc\5world")]
    assert len(slept) == 2
    assert 0 < sum(slept) < 20
    assert radio.airtime_s * 1e6 >= frame_us(len(REQUEST)) * 2
    assert radio.calls == {"answered": 1}


async def test_a_meter_of_another_cell_is_not_heard_and_a_silent_one_is_no_answer() -> None:
    radio = cell([], [])
    with pytest.raises(UnknownMeterError):
        await radio.deliver(SystemTitle(bytes(8)), REQUEST)
    with pytest.raises(DeliveryError):
        await radio.deliver(METER, REQUEST)
    assert radio.calls == {"silent": 1}


def test_calls_are_the_same_for_the_same_seed_and_as_long_and_lossy_as_they_should_be() -> None:
    airs = [TerritoryAir(1, np.zeros(200, dtype=np.int64)).cells[0] for _ in range(2)]
    calls, again = (
        [air.call(home, octets=250, down=n % 2 == 0, at_s=1_780_000_000) for home in range(40) for n in range(50)]
        for air in airs
    )
    assert calls == again
    took_s = np.array([c.took_us for c in calls]) / 1e6
    assert 0.1 < np.median(took_s) < 1.0
    assert np.quantile(took_s, 0.95) < 3.0
    assert np.mean([not c.arrives for c in calls]) < 0.01


def test_a_call_is_on_the_account_of_everyone_who_sent_for_it() -> None:
    air = TerritoryAir(1, np.zeros(200, dtype=np.int64))
    at_s = 1_780_000_000 // 86_400 * 86_400 + 3_600
    far = int(np.argmax(air.cells[0].mesh.hops[1:]))
    air.close(at_s)
    down = air.cells[0].call(far, octets=100, down=True, at_s=at_s)
    up = air.cells[0].call(far, octets=300, down=False, at_s=at_s + 5)
    air.close(at_s + 7_200)
    ((first, day),) = air.day(at_s // 86_400)
    assert first == 0
    assert day.own_us.sum() + day.relayed_us.sum() == down.on_air_us + up.on_air_us
    assert day.own_us[1 + far] >= frame_us(300)
    assert day.own_us[0] >= frame_us(100)
    assert day.relayed_us[1:].sum() > 0
