"""What the territory's meters send goes over its cells' meshes: late, sometimes twice, and on somebody's account."""

from __future__ import annotations

from collections import Counter

import numpy as np
from tests.sim.test_live_devices import STEPS, World7

from openami.contracts.frame import FrameClass
from openami.sim.live import LiveMeters
from openami.sim.mesh import OnAir, TerritoryAir

T0_S = 1_780_000_000 // 900 * 900


def town(homes: int = 400) -> TerritoryAir:
    return TerritoryAir(7, np.arange(homes, dtype=np.int64) // 200)


def sent(homes: int, slot: int) -> list[OnAir]:
    return [OnAir(T0_S + 900 * slot + home * 7 % 150, home, FrameClass.PROFILE, 140) for home in range(homes)]


def test_a_day_of_a_town_arrives_with_hardly_a_loss_and_the_same_for_the_same_seed() -> None:
    air, again = town(), town()
    frames, heard = 0, 0
    for slot in range(96):
        air.close(T0_S + 900 * slot)
        came = air.carry(sent(400, slot), slot=slot)
        assert [at_s for _, at_s in came] == sorted(at_s for _, at_s in came)
        frames += 400
        heard += len({place for place, _ in came})
        if slot < 3:
            assert came == again.carry(sent(400, slot), slot=slot)
    assert frames - heard <= 4
    assert sum(cell.lost for cell in air.cells) == frames - heard


def test_relays_near_the_collector_are_on_the_air_far_longer_for_others_than_for_themselves() -> None:
    air = town(200)
    air.close(T0_S)
    for slot in range(96):
        air.carry(sent(200, slot), slot=slot)
        air.close(T0_S + 900 * slot)
    ((_, day),) = air.day(T0_S // 86_400)
    busiest = int(np.argmax(day.relayed_us[1:])) + 1
    assert day.relayed_us[busiest] > 5 * day.own_us[busiest]
    duty = day.worst_us[busiest] / 1.8e9
    assert 0.0005 < duty < 0.05


def test_live_meters_over_a_mesh_are_heard_as_without_one_but_later() -> None:
    plain, meshed = World7(), World7()
    meshed.live = LiveMeters(
        meshed.territory, meshed.fleet, meshed.territory.power_flow(), meshed.live.at_s,
        air=TerritoryAir(3, meshed.territory.feeder.cell_of),
    )  # fmt: skip
    for _ in range(STEPS // 10):
        at_once = Counter((h.title, h.frame_class, h.home) for h in plain.live.step())
        carried = meshed.live.step()
        assert [h.due_s for h in carried] == sorted(h.due_s for h in carried)
        assert set(Counter((h.title, h.frame_class, h.home) for h in carried)) == set(at_once)
