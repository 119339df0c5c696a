"""Who may take a rate: by size, class, meter, and interconnection. What is not stated on a sheet does not bind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Interconnection(StrEnum):
    """Whether a rate needs an approved interconnection of the customer's generation, or excludes one."""

    EITHER = "either"
    NEEDED = "needed"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What the rate sheet asks of a customer.

    Args:
        least_w, most_w: highest demand of a customer, both included [W]; None is open.
        classes: customer classes (attribute ``class``); none is all.
        meter_kinds: kinds of meter (attribute ``meter_kind``, for example ``AMI``); none is all.
        interconnection: see :class:`Interconnection`.
        words: the rest of the clause, for people.
    """

    least_w: int | None = None
    most_w: int | None = None
    classes: frozenset[str] = frozenset()
    meter_kinds: frozenset[str] = frozenset()
    interconnection: Interconnection = Interconnection.EITHER
    words: str = ""

    def reasons_against(
        self, attributes: Mapping[str, str], *, demand_w: int | None = None, is_interconnected: bool | None = None
    ) -> tuple[str, ...]:
        """Return why a customer cannot take the rate; empty if nothing known stands against it.

        Args:
            attributes: ``class`` and ``meter_kind``, where known: what is not known does not count against.
            demand_w: highest demand [W]; None is not known.
            is_interconnected: whether generation is approved; None is not known.
        """
        found = []
        for clause, allowed in (("class", self.classes), ("meter_kind", self.meter_kinds)):
            given = attributes.get(clause, "")
            if allowed and given and given not in allowed:
                found.append(f"{clause.replace('_', ' ')} {given}: the rate is for {', '.join(sorted(allowed))}")
        if demand_w is not None and self.most_w is not None and demand_w > self.most_w:
            found.append(f"demand of {demand_w / 1000:g} kW is above {self.most_w / 1000:g} kW")
        if demand_w is not None and self.least_w is not None and demand_w < self.least_w:
            found.append(f"demand of {demand_w / 1000:g} kW is below {self.least_w / 1000:g} kW")
        if is_interconnected is True and self.interconnection is Interconnection.EXCLUDED:
            found.append("the rate excludes customers with approved generation")
        if is_interconnected is False and self.interconnection is Interconnection.NEEDED:
            found.append("the rate needs an approved interconnection")
        return tuple(found)
