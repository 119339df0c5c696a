"""CMEP records: end stamps in UTC, registers beside intervals, and refusals where the protocol is used in two ways."""

from __future__ import annotations

import pytest

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.mdm.importing import FileRefusedError, ImportedFile, parse_file

MIDNIGHT_S = 1_780_383_600  # 2026-06-02T07:00Z, midnight in California


def record(
    triplets: str, *, units: str = "KWH", purpose: str = "OK", commodity: str = "E", constant: str = "1.0",
    interval: str = "00000100", count: int | None = None, meter: str = "M1",
) -> str:  # fmt: skip
    number = (triplets.count(",") + 1) // 3 if count is None else count
    head = f"MEPMD01,20080501,MAKER,UTIL:1,13169370,SOMEBODY,202606031515,{meter}"
    return f"{head},{purpose},{commodity},{units},{constant},{interval},{number},{triplets}\n"


def read(*records: str, mapping: bytes | None = None) -> ImportedFile:
    return parse_file("".join(records).encode(), zone=None, mapping=mapping)


def test_a_stamp_ends_its_interval_and_is_utc() -> None:
    (series,) = read(record("202606020800,R0,0.5,202606020900,R0,0.25")).series
    assert series.start_s.tolist() == [MIDNIGHT_S, MIDNIGHT_S + 3600]
    assert (series.interval_s, series.value.tolist(), series.channel) == (3600, [500, 250], Channel.DELIVERED)


def test_register_reads_frame_the_intervals_they_are_sent_with() -> None:
    hours = ",".join(f"2026060{2 + (7 + h) // 24}{(7 + h) % 24:02}00,R0,0.{h:03}" for h in range(1, 25))
    found = read(record(hours), record("202606020700,R0,100,202606030700,R0,100.300", units="KWHREG"))
    (register,) = found.registers
    assert register.at_s.tolist() == [MIDNIGHT_S, MIDNIGHT_S + 86_400]
    assert int(found.series[0].value.sum()) == int(register.value[1] - register.value[0]) == 300


def test_a_stamp_may_be_left_out_after_the_first() -> None:
    (series,) = read(record("202606020715,R0,1,,R0,2,,R0,3", interval="00000015")).series
    assert (series.start_s - MIDNIGHT_S).tolist() == [0, 900, 1800]


def test_an_interval_without_a_value_is_missing_and_counted() -> None:
    found = read(record("202606020800,R0,1,202606020900,N0,,202606021000,E0,3"))
    assert found.series[0].value.tolist() == [1000, 3000]
    assert found.series[0].quality.tolist() == [0, RawQuality.ESTIMATED_AT_SOURCE]
    assert [(f.rule, dict(f.evidence)) for f in found.findings] == [("no_value", {"rows_count": 1})]


@pytest.mark.parametrize("flag", ["A", "", "R16", "V0"])
def test_a_quality_that_makers_use_in_two_ways_is_refused_until_it_is_declared(flag: str) -> None:
    text = record(f"202606020800,{flag},1")
    with pytest.raises(FileRefusedError, match=r"line 1: quality .* \[quality\] words"):
        read(text)
    mapping = f'[quality]\nwords = {{ "{flag}" = "edited" }}\n'.encode()
    assert read(text, mapping=mapping).series[0].quality.tolist() == [RawQuality.EDITED_AT_SOURCE]


def test_a_constant_in_interval_values_is_refused_until_it_is_declared() -> None:
    text = record("202606020800,R0,1", constant="40")
    with pytest.raises(FileRefusedError, match=r"calculation constant 40: whether .* multiplier_applied"):
        read(text)
    (applied,) = read(text, mapping=b"[value]\nmultiplier_applied = true\n").series
    (raw,) = read(text, mapping=b"[value]\nmultiplier_applied = false\n").series
    assert (applied.multiplier, applied.multiplier_applied) == (1, True)
    assert (raw.multiplier, raw.multiplier_applied) == (40, False)


def test_a_constant_of_a_register_is_its_multiplier() -> None:
    (register,) = read(record("202606020700,R0,5", units="KWHREG", constant="80")).registers
    assert (register.multiplier, register.multiplier_applied) == (80, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (record("202606020800,R0,1", commodity="W"), "not electricity"),
        (record("202606020800,R0,1", purpose="SUMMARY"), "purpose SUMMARY"),
        (record("202606020800,R0,1", units="KW"), "unit KW"),
        ("MEPLF01,1,2\n", "record type"),
    ],
    ids=["water", "summary", "power", "another record"],
)
def test_what_is_not_energy_of_a_meter_is_left_aside_with_the_reason(text: str, reason: str) -> None:
    found = read(text)
    assert not found.series
    assert reason in found.skipped[0].reason


def test_an_estimated_register_read_does_not_stand_for_what_a_register_showed() -> None:
    found = read(record("202606020700,E0,5,202606030700,R0,6", units="KWHREG"))
    assert found.registers[0].value.tolist() == [6000]
    assert [f.rule for f in found.findings] == ["estimated_register_left_aside"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (record("202606020800,R0,1", count=2), "says 2 readings and holds 1"),
        (record("202606020800,R0,1", interval="01000000"), "MMDDhhmm"),
        (record("202606020800,R0,1", interval="00000000"), "one minute to a day"),
        (record(",R0,1"), "none before it"),
        (record("2026060208,R0,1"), "not a time"),
        (record("202606020800,R0,1", meter=""), "names no meter"),
        (record("202606020800,R0,x"), "not a number"),
        (record("202606020800,R0,1", constant="1.5"), "whole number"),
        ("MEPMD01,1\n", "14 fields"),
        ("MEPMD01" + "," * 13 + "\n", "not a number"),
    ],
)
def test_a_record_that_cannot_be_read_refuses_the_file_by_line(text: str, reason: str) -> None:
    with pytest.raises(FileRefusedError, match=f"line 2: .*{reason}"):
        read(record("202606020800,R0,1", meter="M0"), text)


def test_a_day_sent_twice_is_taken_once_and_a_conflict_refuses_that_meter() -> None:
    once = record("202606020800,R0,1")
    found = read(once, record("202606020800,R0,1", purpose="RESEND"))
    assert found.series[0].value.tolist() == [1000]
    both = read(once, record("202606020800,R0,2"), record("202606020800,R0,3", meter="M2"))
    assert [(r.name, r.line, r.reason) for r in both.refused] == [
        ("M1", 2, "has the start of line 1 and another value")
    ]
    assert [s.name for s in both.series] == ["M2"]


def test_a_negative_value_of_a_meter_is_handed_on_for_validation_to_judge() -> None:
    assert read(record("202606020800,R0,-1")).series[0].value.tolist() == [-1000]


def test_nothing_of_the_customer_in_a_record_is_kept() -> None:
    assert "SOMEBODY" not in str(read(record("202606020800,R0,1")))


def test_another_clock_than_the_protocols_is_declared() -> None:
    mapping = b'[time]\nclock = "fixed"\nutc_offset = "-08:00"\n'
    (series,) = read(record("202606020100,R0,1"), mapping=mapping).series
    assert series.start_s.tolist() == [MIDNIGHT_S + 3600]
