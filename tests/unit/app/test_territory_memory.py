"""What the territory's meters remember survives the process that plays them."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.unit.meter.made import IDENTITY, NOON

from openami.app.territory.territory_files import TerritoryFiles, TerritoryFilesError
from openami.app.territory.territory_memory import TerritoryMemory
from openami.meter.events import EventCode
from openami.meter.fleet_memory import FleetMemory
from openami.meter.kept import state_document
from openami.meter.objects.image import BLOCK_OCTETS
from openami.meter.objects.switch import Order
from openami.meter.registers import CapturedEnergy
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.sim.maker import make_maker
from openami.sim.past import PastCursor

ZONE = ZoneInfo("America/Chicago")
RENEWED = MeterIdentity(IDENTITY.title, bytes(range(50, 66)), IDENTITY.authentication_key, IDENTITY.master_key)
QUARTER = int(NOON.timestamp())


def memory_of(kept: TerritoryMemory) -> FleetMemory:
    memory = FleetMemory(kept.rings(), ZONE, keep_keys=kept.keep_keys)
    kept.restore(memory, kept.identities([IDENTITY, IDENTITY]))
    return memory


def capture(memory: FleetMemory, end_s: int, wh: int) -> None:
    energy = CapturedEnergy(np.full((2, 1), wh), np.zeros((2, 1), np.int64))
    memory.capture(end_s, np.array([True, False]), np.zeros(2, np.uint8), energy, np.full(2, 2_400))


def test_profiles_are_there_again_and_closed_to_others(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    capture(memory_of(kept), QUARTER, 250)
    table = memory_of(kept).rings.intervals.table(0, ("delivered_wh", "voltage_dv"))
    assert (table.at_cs.tolist(), [c.tolist() for c in table.columns]) == ([QUARTER * 100], [[250], [2_400]])
    assert len(memory_of(kept).rings.intervals.table(1, ("delivered_wh",))) == 0
    for place in (tmp_path / "profiles").iterdir():
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_the_same_quarter_hour_measured_again_is_one_row(tmp_path: Path) -> None:
    memory = memory_of(TerritoryMemory(tmp_path, 2))
    for wh in (250, 250, 251):
        capture(memory, QUARTER, wh)
    table = memory.rings.intervals.table(0, ("delivered_wh",))
    assert table.columns[0].tolist() == [251]


def test_a_full_ring_lets_the_oldest_go_and_takes_nothing_older(tmp_path: Path) -> None:
    memory = memory_of(TerritoryMemory(tmp_path, 2))
    for k in range(5_762):
        capture(memory, QUARTER + 900 * k, k)
    capture(memory, QUARTER, 9)
    table = memory.rings.intervals.table(0, ("delivered_wh",))
    assert table.columns[0].tolist() == list(range(2, 5_762))


def test_profiles_of_another_number_of_meters_are_refused(tmp_path: Path) -> None:
    TerritoryMemory(tmp_path, 2).rings()
    with pytest.raises(TerritoryFilesError, match=r"intervals\.rows"):
        TerritoryMemory(tmp_path, 3).rings()


def test_events_settings_and_half_an_image_are_there_again(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    memory = memory_of(kept)
    memory.note_dark(1, NOON)
    memory.note_lit(1, NOON, NOON.replace(hour=18))
    state = memory.changed(1)
    state.switch.order(Order.REMOTE_DISCONNECT)
    state.output_changed_s = QUARTER
    state.limiter.threshold_w, state.quality.sag_dv, state.setups[0].spread_s = 7_000, 2_111, 77
    state.alarms.filters[1] = 5
    state.received.last = 4_711
    state.image.initiate(b"OAM240-02.00.00", 3 * BLOCK_OCTETS)
    state.image.take_block(1, bytes(range(256)) * 2)
    kept.keep_unsaved(memory)
    assert memory.unsaved == set()
    again = memory_of(kept)
    assert state_document(again.state(1)) == state_document(state)
    assert again.state(1).image.image == state.image.image
    assert again.state(1).received.last == 4_711
    assert again.open_meters(QUARTER + 1) == [1]
    assert state_document(again.state(0)) == state_document(memory.state(0))
    again.note_dark(1, NOON)
    assert [code for _, code in again.state(1).logs.entries()] == [EventCode.POWER_DOWN, EventCode.POWER_UP]


def test_new_keys_are_on_the_disk_and_the_others_are_the_factorys(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    kept.keep_keys(1, RENEWED)
    assert kept.identities([IDENTITY, IDENTITY]) == [IDENTITY, RENEWED]
    assert stat.S_IMODE((tmp_path / "keys" / "1.json").stat().st_mode) == 0o600


@pytest.mark.attack("A11")
def test_a_cut_between_new_keys_and_what_is_remembered_leaves_a_meter_that_hears_us(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    memory = memory_of(kept)
    memory.changed(1).received.last = 4_711
    kept.keep_unsaved(memory)
    # The keys are on the disk; the memory's document of the same message never got there.
    kept.keep_keys(1, IDENTITY.taking(RENEWED, sealed=900))
    again = memory_of(kept)
    assert kept.identities([IDENTITY, IDENTITY])[1] == replace(RENEWED, counted_from=900, keys_taken=1)
    assert again.state(1).received.last is None
    again.changed(1).received.accept(3)
    kept.keep_unsaved(again)
    assert memory_of(kept).state(1).received.last == 3


def test_a_change_of_the_master_key_alone_goes_on_with_the_counters(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    memory = memory_of(kept)
    memory.changed(1).received.last = 4_711
    kept.keep_unsaved(memory)
    kept.keep_keys(1, IDENTITY.taking(replace(IDENTITY, master_key=bytes(range(70, 86))), sealed=900))
    assert kept.identities([IDENTITY, IDENTITY])[1].counted_from == 0
    assert memory_of(kept).state(1).received.last == 4_711


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"events": [[1]]}', "\x00"])
def test_a_broken_memory_is_named_and_not_guessed(tmp_path: Path, text: str) -> None:
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "1.json").write_text(text)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "1.json").write_text(text)
    kept = TerritoryMemory(tmp_path, 2)
    with pytest.raises(TerritoryFilesError, match=r"1\.json"):
        memory_of(kept)
    with pytest.raises(TerritoryFilesError, match=r"1\.json"):
        kept.identities([IDENTITY, IDENTITY])


def test_a_memory_on_disk_holds_no_key(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    memory = memory_of(kept)
    memory.changed(0).note(NOON, EventCode.COVER_REMOVED)
    kept.keep_unsaved(memory)
    text = (tmp_path / "states" / "0.json").read_text()
    assert IDENTITY.encryption_key.hex() not in text
    assert set(json.loads(text)) == {
        "events", "event_count", "failures", "quality", "alarms", "switch", "limiter", "setups", "errors", "received",
        "received_under", "image",
    }  # fmt: skip


def test_how_far_back_profiles_reach_is_there_again(tmp_path: Path) -> None:
    kept = TerritoryMemory(tmp_path, 2)
    assert kept.past() is None
    kept.keep_past(PastCursor(QUARTER, np.array([1, 2]), np.array([3, 4])))
    cursor = kept.past()
    assert cursor is not None
    assert (cursor.at_s, cursor.delivered_mj.tolist(), cursor.received_mj.tolist()) == (QUARTER, [1, 2], [3, 4])


def test_the_maker_is_made_once_and_its_images_run_in_its_meters(tmp_path: Path) -> None:
    files = TerritoryFiles(tmp_path)
    maker = files.maker(lambda count: bytes(range(count)))
    assert files.maker(bytes) == maker
    state = DeviceState(maker.verifier())
    for signer, runs in ((make_maker(lambda count: bytes(range(1, count + 1))), False), (maker, True)):
        image = signer.signed_image(b"OAM240-01.01.00", b"firmware")
        state.image.initiate(b"OAM240-01.01.00", len(image))
        state.image.take_block(0, image)
        assert state.image.verify() is runs
    assert maker.signing_key.hex() not in repr(maker)
