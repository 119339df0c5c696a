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
        least_year_wh, most_year_wh: energy of twelve months, both included [Wh]; None is open.
    """

    least_w: int | None = None
    most_w: int | None = None
    classes: frozenset[str] = frozenset()
    meter_kinds: frozenset[str] = frozenset()
    interconnection: Interconnection = Interconnection.EITHER
    words: str = ""
    least_year_wh: int | None = None
    most_year_wh: int | None = None

    def reasons_against(
        self,
        attributes: Mapping[str, str],
        *,
        demand_w: int | None = None,
        year_wh: int | None = None,
        is_whole_year: bool = True,
        is_interconnected: bool | None = None,
    ) -> tuple[str, ...]:
        """Return why a customer cannot take the rate, each with its clause; empty if nothing known stands against it.

        Args:
            attributes: ``class`` and ``meter_kind``, where known: what is not known does not count against.
            demand_w: highest demand [W]; None is not known.
            year_wh: energy of twelve months [Wh]; None is not known.
            is_whole_year: whether both are of all twelve months. Of fewer they tell what is too much, not too little.
            is_interconnected: whether generation is approved; None is not known.
        """
        found = []
        for name, clause, allowed in (
            ("class", "classes", self.classes), ("meter_kind", "meter_kinds", self.meter_kinds),
        ):  # fmt: skip
            given = attributes.get(name, "")
            if allowed and given and given not in allowed:
                words = f"{name.replace('_', ' ')} {given}, while the rate is for {', '.join(sorted(allowed))}"
                found.append(f"{words} (eligibility.{clause})")
        for size, unit, names, (least, most) in (
            (demand_w, "kW", ("least_kw", "most_kw"), (self.least_w, self.most_w)),
            (year_wh, "kWh a year", ("least_annual_kwh", "most_annual_kwh"), (self.least_year_wh, self.most_year_wh)),
        ):
            if size is not None and most is not None and size > most:
                found.append(f"{size / 1000:,g} {unit} is above {most / 1000:,g} (eligibility.{names[1]})")
            if size is not None and least is not None and size < least and is_whole_year:
                found.append(f"{size / 1000:,g} {unit} is below {least / 1000:,g} (eligibility.{names[0]})")
        if is_interconnected is True and self.interconnection is Interconnection.EXCLUDED:
            found.append("the rate excludes customers with approved generation (eligibility.interconnection)")
        if is_interconnected is False and self.interconnection is Interconnection.NEEDED:
            found.append("the rate needs an approved interconnection (eligibility.interconnection)")
        return tuple(found)
