"""Whatever a clock does and whatever stamps mark, a file written by a declared rule is read back instant by instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from openami.mdm.importing import parse_file

ZONES = (
    "America/Chicago",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Phoenix",
)
LENGTHS = (300, 900, 1800)
CHANGES = (65, 66, 86, 87, 93, 94, 275, 276, 296, 297, 303, 304)
"""Days of 2026 on which a clock of these zones changes, and the days before, by number from 0."""
MAPPING = """
[meter]
name = "M"
[time]
column = "t"
form = "%Y-%m-%d %H:%M"
marks = "{marks}"
clock = "local"
zone = "{zone}"
repeated_hour = "{repeated}"
skipped_hour = "refuse"
{more}
[value]
kind = "intervals"
column = "v"
unit = "Wh"
interval_s = {length}
channel = "delivered"
multiplier_applied = true
"""
COLUMN = 'repeated_column = "p"\nrepeated_first = "1"'


@settings(max_examples=80)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(LENGTHS),
    st.sampled_from(("beginning", "ending")),
    st.sampled_from(("order", "column")),
    st.one_of(st.integers(0, 365), st.sampled_from(CHANGES)),
    st.integers(1, 60),
    st.randoms(use_true_random=False),
)
def test_a_series_of_any_zone_and_season_is_read_back(
    zone: str, length: int, marks: str, repeated: str, day: int, hours: int, dice: object
) -> None:
    where = ZoneInfo(zone)
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    starts = [begin + timedelta(seconds=length * n) for n in range(hours * 3600 // length)]
    shift = timedelta(seconds=length if marks == "ending" else 0)
    rows = [(s + shift).astimezone(where) for s in starts]
    lines = [f"{w:%Y-%m-%d %H:%M},{n},{w.fold + 1}" for n, w in enumerate(rows)]
    if repeated == "column":
        # Told apart by a column, the order of the lines says nothing.
        dice.shuffle(lines)  # type: ignore[attr-defined]
    elif rows[0].fold:
        # By order, a file that begins within the second pass cannot be told from one that begins within the first.
        return
    mapping = MAPPING.format(
        marks=marks, zone=zone, repeated=repeated, length=length, more=COLUMN if repeated == "column" else ""
    )
    found = parse_file("\n".join(("t,v,p", *lines, "")).encode(), zone=None, mapping=mapping.encode())
    (series,) = found.series
    assert not found.refused
    assert series.start_s.tolist() == [int(s.timestamp()) for s in starts]
    assert series.value.tolist() == list(range(len(starts)))
