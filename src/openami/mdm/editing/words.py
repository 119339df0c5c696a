"""Evidence, states and methods in the words of the screen."""

from __future__ import annotations

from collections.abc import Mapping

from openami.contracts.quality import Method, QualityState

_STATES = {
    QualityState.ACTUAL: "measured",
    QualityState.ESTIMATED: "estimated",
    QualityState.MISSING: "missing",
    QualityState.EDITED: "entered by a person",
    QualityState.OUTAGE_ZERO: "zero, the power was off",
    QualityState.QUESTIONABLE: "held, a rule doubts it",
    QualityState.VERIFIED: "doubted and confirmed",
    QualityState.PARTIAL: "measured for part of the interval",
    QualityState.DERIVED: "worked out from other channels or the register",
    QualityState.FORECAST: "forecast",
}
_METHODS = {
    Method.LINEAR: "from its neighbors",
    Method.LIKE_DAYS: "from similar days",
    Method.WEIGHTED: "from its neighbors and similar days",
    Method.REGISTER_SPREAD: "spread by the register",
    Method.CLASS_PROFILE: "from the profile of its class",
    Method.DONOR: "from the shape of one earlier day",
    Method.CHECK_METER: "from the check meter",
    Method.CALCULATED: "worked out from other channels or the register",
    Method.MANUAL: "entered",
    Method.POWER_FAIL_ZERO: "the meter reported no power",
}


def state_words(state: int) -> str:
    """Return a state in words.

    >>> state_words(QualityState.QUESTIONABLE)
    'held, a rule doubts it'
    """
    return _STATES[QualityState(state)]


def method_words(method: int) -> str:
    """Return a method in words; empty for what was measured or never came.

    >>> method_words(Method.WEIGHTED_SCALED)
    'from its neighbors and similar days, scaled to the register'
    """
    found = Method(method)
    if found in _METHODS:
        return _METHODS[found]
    plain = Method.__members__.get(found.name.removesuffix("_SCALED"))
    if plain is not None and plain in _METHODS:
        return f"{_METHODS[plain]}, scaled to the register"
    return ""


def evidence_words(evidence: Mapping[str, int | float | str]) -> str:
    """Return evidence as a line: energy in kWh, the rest as it is.

    >>> evidence_words({"residual_wh": 1234, "intervals": 4})
    'residual 1.234 kWh, intervals 4'
    """
    parts = []
    for key, value in evidence.items():
        name = key.replace("_", " ")
        if key.endswith("_wh") and isinstance(value, (int, float)):
            parts.append(f"{name.removesuffix(' wh')} {value / 1000:,.3f} kWh")
        else:
            parts.append(f"{name} {value}")
    return ", ".join(parts)
