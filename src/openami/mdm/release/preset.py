"""How large a group must be, by whose rule. Values of published rules; a utility chooses one.

Source: California PUC D.14-05-016; Illinois 15/15; Colorado's whole-building rule (4 customers, none over 50 %).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Preset:
    """One rule.

    Args:
        name: as it is chosen.
        floor: the fewest customers.
        largest: the largest share of the group's use that one customer may have; None for no such bound.
        source: who made the rule.
        text: what it says, for people.
    """

    name: str
    floor: int
    largest: Fraction | None
    source: str
    text: str

    def admits(self, usage: list[int]) -> bool:
        """Tell whether customers with these uses (magnitudes) may be shown as one total.

        >>> PRESETS["15/15"].admits([10] * 15), PRESETS["15/15"].admits([10] * 14), PRESETS["4/50"].admits([9, 1, 1, 1])
        (True, False, False)
        """
        if len(usage) < self.floor:
            return False
        total = sum(usage)
        return self.largest is None or total == 0 or max(usage) <= self.largest * total


PRESETS = {
    p.name: p
    for p in (
        Preset("ca-100", 100, None, "California PUC D.14-05-016", "at least 100 residential customers"),
        Preset(
            "15/15", 15, Fraction(15, 100), "Illinois; California for others than homes", "at least 15, none over 15 %"
        ),
        Preset(
            "4/50", 4, Fraction(1, 2), "Colorado, whole building", "at least 4, none over 50 %; one building's owner"
        ),
    )
}
