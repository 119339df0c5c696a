"""Homes made by others, before any is fetched: the split, the cache, and what the readers do with holes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from openami.app.bench.homes import Half, Home, HomesUnavailableError, load_homes
from openami.app.bench.homes.cache import _read, _write
from openami.app.bench.homes.home import split
from openami.app.bench.homes.reading import read_energydata, read_opendsm


def home_of(name: str, days: int = 4) -> Home:
    count = 96 * days
    return Home(name, "made", Half.HELD_OUT, "Etc/GMT-1", 900, date(2026, 6, 1), np.arange(count), np.ones(count, bool))


def test_half_of_the_homes_are_held_out_and_no_home_is_in_both_halves() -> None:
    homes = split([home_of(f"made-{k}") for k in range(75)])
    assert [h.name for h in homes] == [f"made-{k}" for k in range(75)]
    assert sum(h.half is Half.TUNE for h in homes) == 37
    assert sum(h.half is Half.HELD_OUT for h in homes) == 38


def test_the_split_depends_on_the_number_of_homes_alone() -> None:
    first = [h.half for h in split([home_of(f"made-{k}") for k in range(74)])]
    other = [replace(home_of(f"other-{k}"), delivered_wh=np.full(384, k)) for k in range(74)]
    assert [h.half for h in split(other)] == first


def test_the_days_of_a_lone_home_are_halved_without_overlap() -> None:
    tune, held_out = split([home_of("made-0", days=5)])
    assert (tune.half, held_out.half) == (Half.TUNE, Half.HELD_OUT)
    assert (tune.grid().days, held_out.grid().days) == (2, 3)
    assert held_out.first == date(2026, 6, 3)
    assert np.array_equal(np.concatenate([tune.delivered_wh, held_out.delivered_wh]), np.arange(480))


def test_a_day_with_a_hole_is_not_whole() -> None:
    home = home_of("made-0", days=3)
    home.present[100] = False
    assert home.whole_days().tolist() == [True, False, True]


def test_a_cached_home_comes_back_as_it_was(tmp_path: Path) -> None:
    home = replace(home_of("made-0"), received_wh=np.arange(384), voltage_dv=np.full(384, 2301))
    _write(tmp_path, home)
    back = _read(tmp_path / "made-0.npz")
    assert (back.name, back.half, back.first, back.interval_s) == (home.name, home.half, home.first, 900)
    for column in ("delivered_wh", "present", "received_wh", "voltage_dv"):
        assert np.array_equal(getattr(back, column), getattr(home, column))
    assert [h.name for h in load_homes(folder=tmp_path, half=Half.HELD_OUT)] == ["made-0"]


def test_where_no_home_is_the_error_says_how_to_fetch_some(tmp_path: Path) -> None:
    with pytest.raises(HomesUnavailableError, match="make homes"):
        load_homes(folder=tmp_path)


def test_minutes_filled_in_with_the_day_before_are_taken_out_again(tmp_path: Path) -> None:
    path = tmp_path / "EnergyData" / "data" / "householdpower.csv"
    path.parent.mkdir(parents=True)
    dice = np.random.default_rng(5)
    kw, volt = dice.integers(100, 4000, 4 * 1440) / 1000, dice.integers(2300, 2400, 4 * 1440) / 10
    hole = slice(2 * 1440 + 600, 2 * 1440 + 660)
    for column in (kw, volt):
        column[hole] = column[hole.start - 1440 : hole.stop - 1440]
    starts = np.datetime64("2026-01-01T00:00:00") + 60 * np.arange(4 * 1440)
    rows = ["date_time,Global_active_power,Voltage,Global_intensity"]
    rows += [f"{str(t).replace('T', ' ')},{p},{v},{p * 4}" for t, p, v in zip(starts, kw, volt, strict=True)]
    path.write_text("\n".join(rows) + "\n")
    home = read_energydata(tmp_path)[0]
    assert home.grid().days == 2
    assert np.flatnonzero(~home.present).tolist() == [96 + 40, 96 + 41, 96 + 42, 96 + 43]
    whole = kw[1440 : 2 * 1440].sum() * 1000 / 60
    assert abs(int(home.delivered_wh[:96].sum()) - whole) <= 1


def test_an_instant_that_a_file_gives_twice_is_a_hole(tmp_path: Path) -> None:
    import gzip

    folder = tmp_path / "opendsm" / "eemeter" / "samples"
    folder.mkdir(parents=True)
    starts = np.datetime64("2026-01-01T00:00:00") + np.arange(0, 4 * 86_400, 1800)
    rows = ["start,value", *(f"{str(t).replace('T', ' ')},0.078" for t in starts)]
    rows.append(f"{str(starts[60]).replace('T', ' ')},0.5")
    for number in range(3):
        name = f"uk-electricity-hdd-only-hourly-sample-{number}.csv.gz"
        (folder / name).write_bytes(gzip.compress("\n".join(rows).encode()))
    home = read_opendsm(tmp_path)[1]
    assert np.flatnonzero(~home.present).tolist() == [60 - 48]
    assert set(home.delivered_wh[home.present].tolist()) == {78}
