"""Who may take a rate: what stands against it is said, and what is not known does not count."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from openami.billing.tariff import shipped_rates
from openami.billing.tariff.eligibility import Eligibility, Interconnection

SMALL = Eligibility(1_000, 10_000, frozenset({"residential"}), frozenset({"AMI"}), Interconnection.EXCLUDED)


@pytest.mark.parametrize(
    ("attributes", "demand_w", "is_interconnected", "reasons"),
    [
        ({}, None, None, 0),
        ({"class": "residential", "meter_kind": "AMI"}, 10_000, False, 0),
        ({"class": "industrial"}, None, None, 1),
        ({"meter_kind": "AMR"}, 10_001, None, 2),
        ({}, 999, True, 2),
    ],
    ids=[
        "nothing known",
        "all fits, limits included",
        "another class",
        "another meter and too large",
        "too small, solar",
    ],
)
def test_each_reason_against_a_rate_is_said(
    attributes: Mapping[str, str], demand_w: int | None, is_interconnected: bool | None, reasons: int
) -> None:
    found = SMALL.reasons_against(attributes, demand_w=demand_w, is_interconnected=is_interconnected)
    assert len(found) == reasons


def test_a_rate_for_generation_needs_it() -> None:
    solar = Eligibility(interconnection=Interconnection.NEEDED)
    assert solar.reasons_against({}, is_interconnected=False) == ("the rate needs an approved interconnection",)
    assert solar.reasons_against({}, is_interconnected=True) == ()


def test_a_drive_by_meter_has_two_options_of_five_and_net_metering_two() -> None:
    def may(attributes: Mapping[str, str], *, solar: bool) -> set[str]:
        return {
            code.removeprefix("ameren-mo-")
            for code, rate in shipped_rates().items()
            if not rate.versions[-1].eligibility.reasons_against(attributes, is_interconnected=solar)
        }

    assert may({"meter_kind": "AMR"}, solar=False) == {"anytime", "overnight"}
    assert may({"meter_kind": "AMI"}, solar=True) == {"anytime", "evening-morning"}
