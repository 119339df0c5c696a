"""Files of temperatures are read as their publishers write them; a wrong row is refused with its line and a mend."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.app.readings.weather_desk import station_of
from openami.mdm.weather.file import MAX_WEATHER_OCTETS, Unit, WeatherFileError
from openami.mdm.weather.read import parse_weather
from openami.mdm.weather.record import DayTemperature, WeatherError

GHCN_HEAD = (
    '"STATION","DATE","LATITUDE","LONGITUDE","ELEVATION","NAME","PRCP","PRCP_ATTRIBUTES",'
    '"TMAX","TMAX_ATTRIBUTES","TMIN","TMIN_ATTRIBUTES","TAVG","TAVG_ATTRIBUTES"'
)
METEO_HEAD = (
    "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n"
    "38.629173,-90.183304,139.0,-21600,America/Chicago,GMT-6\n\n"
)
METEO_COLUMNS = "time,temperature_2m_mean (°C),temperature_2m_max (°C),temperature_2m_min (°C)\n"


def ghcn(*rows: str) -> bytes:
    return "\n".join([GHCN_HEAD, *rows, ""]).encode()


def row(
    day: str, high: str = "  322", low: str = "  211", *, marks: str = ",,W,2400", mean: str = "  268",
    station: str = "USW00013994",
) -> str:  # fmt: skip
    return (
        f'"{station}","{day}","38.7525","-90.3734","161.8","ST LOUIS LAMBERT INTL AIRPORT, MO US","    0",",,W,2400",'
        f'"{high}","{marks}","{low}",",,W,2400","{mean}",",,S"'
    )


def meteo(rows: str, columns: str = METEO_COLUMNS) -> bytes:
    return (METEO_HEAD + columns + rows).encode()


def test_a_station_of_the_national_centers_is_read_in_tenths_with_padded_cells_and_a_comma_in_its_name() -> None:
    found = parse_weather(ghcn(row("2026-07-02", " -17", " -72", mean=""), row("2026-07-01")))
    assert (found.station, found.name) == ("USW00013994", "ST LOUIS LAMBERT INTL AIRPORT, MO US")
    assert found.days == (
        DayTemperature(date(2026, 7, 1), 211, 322, 268), DayTemperature(date(2026, 7, 2), -72, -17),
    )  # fmt: skip
    assert (found.left_out, found.notes) == ((), ())


def test_values_that_failed_a_check_or_are_not_there_are_left_out_and_counted_and_other_hours_are_told() -> None:
    found = parse_weather(
        ghcn(
            row("2026-07-01", marks=",I,W,2400"), row("2026-07-02", low=""), row("2026-07-03", high="-9999"),
            row("2026-07-04", marks=",,0,0700"), row("2026-07-05", mean="900"),
        )
    )  # fmt: skip
    assert [d.day.day for d in found.days] == [4, 5]
    assert found.left_out == (
        ("without a lowest or a highest temperature", 2), ("failed a check of the network", 1),
    )  # fmt: skip
    assert "1 days were read at another hour than midnight" in found.notes[0]
    assert found.days[1].mean_dc is None, "a mean outside the extremes is of other hours"


def test_an_archive_of_open_meteo_is_read_in_its_own_unit_and_zone_and_without_a_mean() -> None:
    found = parse_weather(meteo("2026-07-01,26.4,31.8,21.1\n2026-07-02,NaN,30.0,20.0\n2026-07-03,,,\n"))
    assert (found.zone, found.station, found.name) == ("America/Chicago", "", "38.629173, -90.183304")
    assert found.days == (DayTemperature(date(2026, 7, 1), 211, 318, 264), DayTemperature(date(2026, 7, 2), 200, 300))
    assert found.left_out == (("without a lowest or a highest temperature", 1),)
    columns = "time,temperature_2m_max (°F),temperature_2m_min (°F)\n"
    assert parse_weather(meteo("2026-07-01,90.0,70.0\n", columns)).days[0] == DayTemperature(
        date(2026, 7, 1), 211, 322
    )  # fmt: skip


def test_a_file_with_hours_before_its_days_is_read_for_its_days() -> None:
    hours = "time,temperature_2m (°C)\n2026-07-01T00:00,21.0\n\n"
    assert len(parse_weather(meteo("2026-07-01,26.4,31.8,21.1\n", hours + METEO_COLUMNS)).days) == 1


def test_line_ends_of_other_systems_and_a_byte_order_mark_change_nothing() -> None:
    plain = ghcn(row("2026-07-01"))
    assert parse_weather(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")) == parse_weather(plain)


BAD = [
    pytest.param(b"", None, 1, "neither a GHCN-Daily file", id="nothing"),
    pytest.param(b"start,value\n", None, 1, "neither a GHCN-Daily file", id="another file"),
    pytest.param(b"\x89PNG\r\n", None, 1, "no UTF-8", id="a picture"),
    pytest.param(ghcn(row("2026-07-01")) + b"\xff\n", None, 3, "no UTF-8", id="a broken letter"),
    pytest.param(ghcn(), None, 0, "no day with a lowest", id="no row"),
    pytest.param(ghcn(row("2026-07-32")), None, 2, "'2026-07-32' is no day", id="no such day"),
    pytest.param(ghcn(row("20260701")), None, 2, "is no day", id="a compact day"),
    pytest.param(ghcn(row("2026-07-01"), row("2026-07-02", "warm")), None, 3, "'warm' is no temperature", id="a word"),
    pytest.param(ghcn(row("2026-07-01", "1e400")), None, 2, "is no temperature", id="a number beyond all"),
    pytest.param(ghcn(row("2026-07-01", "NaN")), None, 2, "is no temperature", id="not a number"),
    pytest.param(ghcn(row("2026-07-01", "32.2")), None, 2, "--unit c or f", id="degrees as tenths"),
    pytest.param(ghcn(row("2026-07-01", "900")), None, 2, "check the file's unit", id="hotter than the earth"),
    pytest.param(ghcn(row("2026-07-01", "100", "200")), None, 2, "above the highest", id="upside down"),
    pytest.param(ghcn(row("2026-07-01")[:40]), None, 2, "export the file again", id="cut off within a cell"),
    pytest.param(ghcn('"USW00013994","2026-07-01"'), None, 2, "2 cells where the first row has 14", id="short"),
    pytest.param(ghcn(row("2026-07-01"), row("2026-07-01", "300")), None, 3, "twice with other values", id="twice"),
    pytest.param(ghcn(row("2026-07-01"), row("2026-07-02", station="X")), None, 3, "a second station", id="two"),
    pytest.param(b"STATION,DATE,TMAX\n", None, 1, "column TMIN is not there", id="no lowest"),
    pytest.param(b"STATION,DATE,TMAX,TMIN\nX,2026-07-01,90,70\n", None, 1, "say it with --unit", id="no unit"),
    pytest.param(ghcn(row("2026-07-01") .replace("ST LOUIS", "S" * 3_000)), None, 2, "2000 characters", id="a cell"),
    pytest.param(METEO_HEAD.encode(), None, 0, "no daily temperatures", id="no table"),
    pytest.param(meteo("2026-07-01,26.4,31.8\n"), None, 5, "3 cells where the table has 4", id="short row"),
    pytest.param(meteo("", "time,temperature_2m_max (°C)\n"), None, 4, "temperature_2m_min is not there", id="one"),
    pytest.param(meteo("", "time,temperature_2m_max (K),temperature_2m_min (K)\n"), None, 4, "not °C", id="kelvin"),
    pytest.param(b"location_id," + METEO_HEAD.encode(), None, 1, "several places", id="several places"),
    pytest.param(meteo("2026-07-01,26.4,31.8,21.1\n"), Unit.F, 1, "leave --unit away", id="a unit too many"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "unit", "line", "words"), BAD)
def test_a_file_that_is_wrong_is_refused_with_its_line_and_a_mend(
    octets: bytes, unit: Unit | None, line: int, words: str
) -> None:
    with pytest.raises(WeatherFileError) as refused:
        parse_weather(octets, unit)
    assert refused.value.line == line
    assert words in str(refused.value)


def test_a_file_of_the_climate_search_is_read_in_the_unit_that_is_said() -> None:
    octets = b"STATION,NAME,DATE,TMAX,TMIN\nUSW00013994,ST LOUIS,2026-07-01,90,70\n"
    assert parse_weather(octets, Unit.F).days[0] == DayTemperature(date(2026, 7, 1), 211, 322)


def test_a_file_beyond_all_measure_is_refused_before_it_is_read() -> None:
    with pytest.raises(WeatherFileError, match="load fewer years"):
        parse_weather(bytes(MAX_WEATHER_OCTETS + 1))


@given(st.permutations(range(6)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    rows = [row(f"2026-07-{n + 1:02d}", str(300 + n)) for n in range(6)]
    assert parse_weather(ghcn(*(rows[n] for n in order))) == parse_weather(ghcn(*rows))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_octets_of_any_kind_are_read_or_refused_and_nothing_else(junk: bytes, at: int) -> None:
    whole = ghcn(row("2026-07-01"))
    for octets in (junk, whole[:at] + junk + whole[at:], meteo("2026-07-01,26.4,31.8,21.1\n")[:at] + junk):
        try:
            parse_weather(octets)
        except WeatherFileError:
            continue


def test_days_of_another_zone_and_files_without_a_station_are_refused_with_what_to_ask_for() -> None:
    there = parse_weather(meteo("2026-07-01,26.4,31.8,21.1\n"))
    with pytest.raises(WeatherError, match="--station"):
        station_of(there, station="", zone="America/Chicago")
    with pytest.raises(WeatherError, match="ask for timezone=America/New_York"):
        station_of(there, station="grid-1", zone="America/New_York")
    assert station_of(there, station="grid-1", zone="America/Chicago").source == "Open-Meteo archive"
    with pytest.raises(WeatherError, match="leave --station away"):
        station_of(parse_weather(ghcn(row("2026-07-01"))), station="other", zone="America/Chicago")
    with pytest.raises(WeatherError, match="is no station"):
        station_of(there, station="../etc", zone="America/Chicago")
