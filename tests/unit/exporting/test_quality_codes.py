"""The table of quality codes: every state and method has its row, and the page says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openami.contracts.quality import Method, QualityState
from openami.mdm.quality_codes import READ_CODES, ROWS, QualityCodes, codes_of
from openami.mdm.usage.end_reads import ReadKind

PAGE = Path(__file__).parents[3] / "docs" / "protocol" / "quality-codes.md"


def _rows_of_the_page() -> dict[str, QualityCodes]:
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) != 5 or not re.fullmatch(r"[a-z_]+", cells[0]):
            continue
        iec = () if cells[2] == "-" else tuple(cells[2].split())
        espi = None if cells[3] == "left out" else int(cells[3])
        nem12 = "" if cells[4] == "held back" else cells[4]
        rows[cells[0]] = QualityCodes(cells[0], iec, espi, nem12)
    return rows


def test_the_page_and_the_code_hold_the_same_table() -> None:
    ours = {n: QualityCodes(n, r.iec, r.espi, r.nem12) for n, r in ROWS.items()}
    assert _rows_of_the_page() == ours


def test_the_page_and_the_code_hold_the_same_codes_of_register_reads() -> None:
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in PAGE.read_text().splitlines()]
    told = {r[0]: r[1] for r in rows if len(r) == 2 and re.fullmatch(r"[a-z_]+", r[0])}
    assert told == READ_CODES
    assert set(READ_CODES) == {k.value for k in ReadKind}


@pytest.mark.parametrize("state", QualityState)
@pytest.mark.parametrize("method", Method)
def test_every_state_and_method_has_codes(state: QualityState, method: Method) -> None:
    assert codes_of(state, method).name in ROWS


@pytest.mark.parametrize("method", [m for m in Method if "SCALED" in m.name or m is Method.REGISTER_SPREAD])
def test_a_scaled_estimate_is_estimated_and_derived(method: Method) -> None:
    assert codes_of(QualityState.ESTIMATED, method).iec == ("3.8.0", "3.11.0")


@pytest.mark.parametrize("method", [m for m in Method if m not in {Method.MEASURED, Method.NONE}])
def test_no_estimate_passes_for_an_actual(method: Method) -> None:
    codes = codes_of(QualityState.ESTIMATED, method)
    assert codes.nem12[:1] == "S"
    assert "3.0.1" not in codes.iec
    assert codes.espi not in {17, 18, 19}


@pytest.mark.parametrize("state", [QualityState.ACTUAL, QualityState.ESTIMATED, QualityState.OUTAGE_ZERO])
def test_a_reading_that_validation_has_not_seen_is_raw_whatever_its_state(state: QualityState) -> None:
    codes = codes_of(state, is_raw=True)
    assert (codes.iec, codes.espi, codes.nem12) == ((), 14, "")
