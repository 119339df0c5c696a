"""Values that pass for nobody: a clock set far from the right time, a load limit that is a disconnection. Pure.

Source: requirement R3.6 (value bounds); attack A19.
"""

from __future__ import annotations

from openami.contracts.command import Command, CommandEffect, Refusal
from openami.contracts.threshold import Thresholds
from openami.contracts.threshold_word import ThresholdRule
from openami.network.gateway.thresholds.judge import Over, Reach


def beyond(command: Command, limits: Thresholds) -> Over | None:
    """Return the bound that a command's value breaks, and what it is refused with; None where it breaks none."""
    value, title = command.value, command.title.octets
    if command.effect is CommandEffect.CLOCK:
        if not 0 <= value <= limits.clock_most_s:
            return Over(Refusal.VALUE_BOUND, Reach(ThresholdRule.CLOCK, title, value, limits.clock_most_s))
        if value > limits.clock_free_s and not command.approvals:
            return Over(Refusal.NEEDS_APPROVAL, Reach(ThresholdRule.CLOCK, title, value, limits.clock_free_s))
    if command.effect is CommandEffect.LIMIT and value < limits.limit_least:
        return Over(Refusal.VALUE_BOUND, Reach(ThresholdRule.LIMIT, title, value, limits.limit_least))
    return None
