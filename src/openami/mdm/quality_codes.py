"""What others call the quality of a value: IEC 61968-9, ESPI (Green Button) and NEM12 codes of our own states.

The one place where codes are made. Files of every format take them from here, when they are written; codes are never
stored. The table stands in ``docs/protocol/quality-codes.md``, and a test compares the two.

Source: IEC 61968-9 ReadingQualityType (system.category.index), ``espi.xsd`` 4.0 QualityOfReading, AEMO Meter Data File
Format and its list of substitution types.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.contracts.quality import Method, QualityState


@dataclass(frozen=True, slots=True)
class QualityCodes:
    """Codes of one value.

    Args:
        name: the row of the table: our own word for files that have a column for it.
        iec: IEC 61968-9 codes; a reading may carry several, a raw one carries none.
        espi: ESPI QualityOfReading; None where the reading is left out of a feed.
        nem12: quality flag and, after S, F and E, the two digits of the method; empty where the value is held back.
        reason: free text for NEM12's reason description; empty where the flag says enough.
    """

    name: str
    iec: tuple[str, ...]
    espi: int | None
    nem12: str
    reason: str = ""


ROWS: dict[str, QualityCodes] = {
    row.name: row
    for row in (
        QualityCodes("raw", (), 14, ""),
        QualityCodes("validated", ("3.0.1",), 17, "A"),
        QualityCodes("released", ("3.0.1",), 19, "A"),
        QualityCodes("questionable", ("3.5.258",), 10, ""),
        QualityCodes("verified", ("3.10.1",), 18, "A"),
        QualityCodes("missing", ("2.5.259",), None, "N"),
        QualityCodes("outage_zero", ("1.2.32", "3.0.1"), 17, "A"),
        QualityCodes("estimated_linear", ("3.8.0",), 9, "S17"),
        QualityCodes("estimated_like_day", ("3.8.0",), 8, "S14"),
        QualityCodes("estimated_like_days", ("3.8.0",), 8, "S15"),
        QualityCodes("estimated_class_profile", ("3.8.0",), 8, "S57"),
        QualityCodes("scaled_linear", ("3.8.0", "3.11.0"), 11, "S24"),
        QualityCodes("scaled_like_day", ("3.8.0", "3.11.0"), 8, "S24"),
        QualityCodes("scaled_like_days", ("3.8.0", "3.11.0"), 8, "S24"),
        QualityCodes("scaled_class_profile", ("3.8.0", "3.11.0"), 8, "S24"),
        QualityCodes("scaled_flat", ("3.8.0", "3.11.0"), 11, "S24"),
        QualityCodes("check_meter", ("3.11.0",), 11, "S11"),
        QualityCodes("edited", ("3.7.0",), 7, "S18"),
        QualityCodes("edited_final", ("3.7.0",), 7, "F18"),
        QualityCodes("calculated", ("3.11.0",), 11, "S12"),
        QualityCodes("forecast", ("3.12.0",), 12, "E22"),
        QualityCodes("partial", ("1.4.2",), 13, "S18", "partial interval"),
    )
}
"""Every row of the table, by name."""

READ_CODES = {
    "scheduled": "3.0.1", "nearest": "3.0.1", "on_demand": "3.0.1", "manual": "3.0.1", "customer": "3.0.1",
    "installer": "4.4.131", "apportioned": "3.11.0",
    "estimated": "3.8.0", "missing": "2.5.259",
}  # fmt: skip
"""IEC code of a register read at an end of a bill, by where it comes from."""
_STATE_ROWS: dict[QualityState, str] = {
    QualityState.MISSING: "missing",
    QualityState.OUTAGE_ZERO: "outage_zero",
    QualityState.QUESTIONABLE: "questionable",
    QualityState.VERIFIED: "verified",
    QualityState.PARTIAL: "partial",
    QualityState.FORECAST: "forecast",
}
_METHOD_ROWS: dict[Method, str] = {
    Method.LINEAR: "estimated_linear",
    Method.LIKE_DAYS: "estimated_like_days",
    Method.WEIGHTED: "estimated_like_days",
    Method.DONOR: "estimated_like_day",
    Method.CLASS_PROFILE: "estimated_class_profile",
    Method.LINEAR_SCALED: "scaled_linear",
    Method.LIKE_DAYS_SCALED: "scaled_like_days",
    Method.WEIGHTED_SCALED: "scaled_like_days",
    Method.DONOR_SCALED: "scaled_like_day",
    Method.CLASS_PROFILE_SCALED: "scaled_class_profile",
    Method.REGISTER_SPREAD: "scaled_flat",
    Method.CHECK_METER: "check_meter",
    Method.CALCULATED: "calculated",
}


def codes_of(
    state: QualityState,
    method: Method = Method.MEASURED,
    *,
    is_raw: bool = False,
    is_released: bool = False,
    is_final: bool = False,
) -> QualityCodes:
    """Return the codes of a value.

    Args:
        state: of the value's version.
        method: how the value came to be.
        is_raw: it is a reading that validation has not seen; its state is what the meter said.
        is_released: a bill stands on it.
        is_final: an edit that will not be replaced by a later reading.

    >>> codes_of(QualityState.ESTIMATED, Method.WEIGHTED_SCALED).iec
    ('3.8.0', '3.11.0')
    >>> codes_of(QualityState.ACTUAL).espi, codes_of(QualityState.ACTUAL, is_released=True).espi
    (17, 19)
    """
    if is_raw:
        return ROWS["missing" if state is QualityState.MISSING else "raw"]
    if state is QualityState.ACTUAL:
        return ROWS["released" if is_released else "validated"]
    if state is QualityState.EDITED:
        return ROWS["edited_final" if is_final else "edited"]
    if state is QualityState.DERIVED:
        return ROWS[_METHOD_ROWS.get(method, "calculated")]
    if state is QualityState.ESTIMATED:
        # An estimate always has a method; one of a method without a row of its own was scaled to nothing and by days.
        return ROWS[_METHOD_ROWS.get(method, "estimated_like_days")]
    return ROWS[_STATE_ROWS[state]]
