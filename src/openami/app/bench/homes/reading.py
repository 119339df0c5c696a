"""Readers of the files of others: each gives homes of whole local days, in whole watt-hours, with holes as holes.

Energy is accumulated first and truncated to a Wh after, as a register does, so that no energy is lost to rounding.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from openami.app.bench.homes.home import Half, Home
from openami.contracts.channel import Channel
from openami.kernel.time import instant_from_epoch_s, local_date, zone_named
from openami.mdm.importing import parse_file
from openami.mdm.vee.grid import BOOLS, I64, grid_of

F64 = npt.NDArray[np.float64]
MINUTE_S, QUARTER_S, HALF_HOUR_S, HOUR_S = 60, 900, 1_800, 3_600
_FRENCH = "EnergyData/data/householdpower.csv"
_GERMAN = "input/baseload/df_S_15min.csv"
_BRITISH = "opendsm/eemeter/samples/uk-electricity-hdd-only-hourly-sample-{}.csv.gz"
_SEVEN_YEARS_S = (date(2017, 1, 1) - date(2010, 1, 1)).days * 86_400
_SOLAR = "nem12/Example_NEM12_month_solar.csv"


def read_opendsm(folder: Path) -> list[Home]:
    """Read three British homes. Stamps are the start of an interval; two of the files repeat and skip some."""
    homes = []
    for number, interval_s in ((0, HOUR_S), (1, HALF_HOUR_S), (2, HALF_HOUR_S)):
        table = _csv(folder / _BRITISH.format(number), {"start": pa.string(), "value": pa.float64()})
        start_s = _instants(pc.utf8_slice_codeunits(table["start"], 0, 19), "%Y-%m-%d %H:%M:%S")
        wh = table["value"].to_numpy() * 1000.0
        homes.append(_home(f"opendsm-uk-{number}", "opendsm", "UTC", interval_s, start_s, wh))
    return homes


def read_energydata(folder: Path) -> list[Home]:
    """Read one French home by the minute.

    The package filled the holes of the original (UCI) with the minutes of the day before: they are taken out again.
    Its stamps run on through both changes of the clock, so they are taken as standard time.
    """
    kinds = {"date_time": pa.string(), "Global_active_power": pa.float64(), "Voltage": pa.float64()}
    table = _csv(folder / _FRENCH, {**kinds, "Global_intensity": pa.float64()})
    start_s = _instants(table["date_time"], "%Y-%m-%d %H:%M:%S") - HOUR_S
    kw, volt = table["Global_active_power"].to_numpy(), table["Voltage"].to_numpy()
    real = ~_copied((kw, volt, table["Global_intensity"].to_numpy()), 86_400 // MINUTE_S)
    skip = int(-start_s[0] % QUARTER_S) // MINUTE_S
    count = (len(kw) - skip) // 15
    minutes = slice(skip, skip + count * 15)
    whole = real[minutes].reshape(count, 15).all(axis=1)
    wh = kw[minutes].reshape(count, 15).sum(axis=1) * 1000.0 / 60.0
    volts = volt[minutes].reshape(count, 15).mean(axis=1)
    starts = start_s[minutes].reshape(count, 15)[:, 0][whole]
    return [_home("energydata-0", "energydata", "Etc/GMT-1", QUARTER_S, starts, wh[whole], voltage=volts[whole])]


def read_htw(folder: Path) -> list[Home]:
    """Read 74 German homes: mean watts of each quarter-hour of a year in standard time.

    The package calls the year 2017; homes are at home at midday on what it calls Mondays and Tuesdays, which in 2010,
    the year of the original, were Saturdays and Sundays.
    """
    table = pyarrow.csv.read_csv(folder / _GERMAN)
    start_s = _seconds(table["Time"]) - HOUR_S - _SEVEN_YEARS_S
    return [
        _home(f"htw-{k:02}", "htw", "Etc/GMT-1", QUARTER_S, start_s, table[str(k)].to_numpy() / 4.0) for k in range(74)
    ]


def read_nem12(folder: Path) -> list[Home]:
    """Read a month of an Australian home with a roof, five-minute intervals put together to quarter-hours."""
    found = {s.channel: s for s in parse_file((folder / _SOLAR).read_bytes(), zone=None).series}
    zone = "Etc/GMT-10"
    columns: dict[Channel, Home] = {}
    for channel in (Channel.DELIVERED, Channel.RECEIVED):
        series = found[channel]
        starts, counts = np.unique(series.start_s // QUARTER_S * QUARTER_S, return_counts=True)
        wh = np.zeros(len(starts))
        np.add.at(wh, np.searchsorted(starts, series.start_s // QUARTER_S * QUARTER_S), series.value)
        whole = counts == QUARTER_S // series.interval_s
        columns[channel] = _home("nem12-solar", "nem12", zone, QUARTER_S, starts[whole], wh[whole])
    home, roof = columns[Channel.DELIVERED], columns[Channel.RECEIVED]
    return [replace(home, present=home.present & roof.present, received_wh=roof.delivered_wh)]


def _csv(path: Path, kinds: dict[str, pa.DataType]) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
    return pyarrow.csv.read_csv(path, convert_options=options)


def _instants(text: pa.ChunkedArray, pattern: str) -> I64:
    return _seconds(pc.strptime(text, format=pattern, unit="s"))


def _seconds(stamps: pa.ChunkedArray) -> I64:
    return np.asarray(stamps.to_numpy().astype("datetime64[s]").astype(np.int64))


def _copied(columns: tuple[F64, ...], lag: int) -> BOOLS:
    """Tell which rows equal, in every column, the row ``lag`` before."""
    copied = np.zeros(len(columns[0]), bool)
    copied[lag:] = np.logical_and.reduce([c[lag:] == c[:-lag] for c in columns])
    return copied


def _home(
    name: str, source: str, zone_name: str, interval_s: int, start_s: I64, wh: F64, *, voltage: F64 | None = None
) -> Home:
    """Lay measured intervals on whole local days. An instant that occurs twice is a hole: neither value is believed."""
    zone = zone_named(zone_name)
    first = local_date(instant_from_epoch_s(int(start_s.min())), zone) + timedelta(days=1)
    last = local_date(instant_from_epoch_s(int(start_s.max())), zone) - timedelta(days=1)
    grid = grid_of(zone, first, max(last, first), interval_s)
    column = grid.column_of(start_s)
    fits = column >= 0
    column = column[fits]
    times = np.bincount(column, minlength=grid.columns)
    energy, dv = np.zeros(grid.columns), np.zeros(grid.columns)
    energy[column] = wh[fits]
    present = times == 1
    energy[~present] = 0.0
    # A hair above, so that 78.0 Wh stored as 77.999999 is not a count less.
    shown = np.floor(np.cumsum(energy) + 1e-6).astype(np.int64)
    delivered = np.where(present, np.diff(shown, prepend=0), 0)
    if voltage is not None:
        dv[column] = voltage[fits] * 10.0
    volts = None if voltage is None else np.where(present, np.rint(dv), 0).astype(np.int64)
    return Home(name, source, Half.HELD_OUT, zone_name, interval_s, first, delivered, present, None, volts)
