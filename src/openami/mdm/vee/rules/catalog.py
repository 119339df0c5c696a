"""The catalog: every rule there is, in the order in which findings are told; ``docs/vee`` has a page on each."""

from __future__ import annotations

from openami.mdm.vee.rules import (
    channels,
    clock,
    level,
    mates,
    place,
    reading,
    register,
    step,
    still,
    sums,
    voltage,
)
from openami.mdm.vee.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *reading.RULES,
    *sums.RULES,
    *register.RULES,
    *level.RULES,
    *still.RULES,
    *step.RULES,
    *clock.RULES,
    *place.RULES,
    *channels.RULES,
    *voltage.RULES,
    *mates.RULES,
)
RULE_BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
