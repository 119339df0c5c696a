"""What fixes a case, by the rule of its findings. Pure.

Some faults are not the readings': a wrong constant belongs into the registry, a half-dead meter wants a person in the
field. For these a case proposes no decision and says whose move it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openami.mdm.editing.decision import DecisionKind

_INTERVAL_S = 900


@dataclass(frozen=True, slots=True)
class Fix:
    """What would close a case.

    Args:
        kind: of the decision; None where no decision about readings helps.
        words: what it means, or whose move it is, in a sentence.
        shift_s: for a shift of the clock.
    """

    kind: DecisionKind | None
    words: str
    shift_s: int = 0


_ESTIMATES_STAND = Fix(DecisionKind.ACCEPT, "The estimates stand; late readings still take their place.")
_TRUE = Fix(DecisionKind.ACCEPT, "The readings are true: the rule was right to ask, and is answered.")
_AGAIN = Fix(DecisionKind.ESTIMATE_AGAIN, "The readings are not believed: they are estimated.")
_REGISTER = Fix(DecisionKind.REJECT_READS, "The register reads are not believed; good intervals stay.")


def _registry(words: str, command: str) -> Fix:
    """Return whose move it is, and the command that mends one place; serials, times and a reason are the person's."""
    tail = "add --preview to see what it touches; the days run again by themselves."
    return Fix(None, f"The registry is wrong, not the readings. {words}: `openami registry {command}`; {tail}")


_REGISTRY = Fix(None, "The registry is wrong, not the readings: correct it, and the days run again by themselves.")
_CROSSED = _registry("Two meters hang each in the other's place", "crossed FIRST SECOND --from TIME")
_MULTIPLIER = _registry("The multiplier is not the meter's", "multiplier SERIAL --from TIME --ct N --pt N --constant N")
_STRANGER = _registry("Another meter hangs there", "exchange OLD NEW --removed TIME --out CHANNEL=COUNT --in ...")
_IN_USE = _registry("The service is used", "start PLACE --account ACCOUNT --from TIME")
_SWITCH = _registry("The service is on", "fact PLACE service active --from TIME")
_APPROVED = _registry("If an interconnection was approved, enter it", "fact PLACE interconnection WATTS --from TIME")
_FIELD = Fix(None, "No decision about readings puts this right: send somebody, then exchange or scale.")

FIXES: Mapping[str, Fix] = {
    "missing": _ESTIMATES_STAND,
    "storm_hold": _ESTIMATES_STAND,
    "prolonged_estimation": _ESTIMATES_STAND,
    "flagged_invalid": _ESTIMATES_STAND,
    "overflow": _ESTIMATES_STAND,
    "test_mode": _ESTIMATES_STAND,
    "out_of_range": _ESTIMATES_STAND,
    "interval_count": _ESTIMATES_STAND,
    "duplicate": _TRUE,
    "high_low": _TRUE,
    "dynamic_comparison": _TRUE,
    "zero": _TRUE,
    "outage_zero": _TRUE,
    "spike": _TRUE,
    "sibling": _TRUE,
    "kvarh": _TRUE,
    "voltage_band": _TRUE,
    "voltage_imbalance": _TRUE,
    "clock_flagged": _TRUE,
    "conflict": _TRUE,
    "sum_check": _REGISTER,
    "register_set": _REGISTER,
    "register_implausible": _REGISTER,
    "register_stuck": _REGISTER,
    "register_read": _REGISTER,
    "stuck": _AGAIN,
    "repeat_day": _AGAIN,
    "negative": _ESTIMATES_STAND,
    "swapped_channels": Fix(DecisionKind.SWAP_CHANNELS, "Delivered and received change places."),
    "date_swapped": _AGAIN,
    "multiplier": _MULTIPLIER,
    "multiplier_step": _MULTIPLIER,
    "unit": _MULTIPLIER,
    "interval_size": _REGISTRY,
    "meter_id": _STRANGER,
    "inactive_usage": _IN_USE,
    "disconnected_usage": _SWITCH,
    "reverse_unapproved": _APPROVED,
    "crossed": _CROSSED,
    "half_registering": _FIELD,
    "clock_hour": _FIELD,
    "stopped": _FIELD,
    "duplicate_register": _FIELD,
    "tou_sum": _FIELD,
}


def fix_of(rule: str, signature: str) -> Fix:
    """Return what would close a case of a rule.

    Args:
        rule: of its findings.
        signature: see :func:`openami.mdm.editing.case.signature_of`.

    >>> fix_of("clock_shifted", "shift_s=3600").shift_s
    -3600
    """
    facts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    shift_s = _whole(facts.get("shift_s")) or _INTERVAL_S * _whole(facts.get("shift_intervals"))
    if shift_s:
        way = "earlier" if shift_s > 0 else "later"
        words = f"The clock went {abs(shift_s) // 60} minutes wrong: what it stamped belongs so much {way}."
        return Fix(DecisionKind.SHIFT_CLOCK, words, -shift_s)
    return FIXES.get(rule, _TRUE)


def _whole(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
