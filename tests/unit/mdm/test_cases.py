"""Folding: the cause that explains most is named, with the numbers that speak for it, and what has no cause stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from uuid import UUID

import pytest

from openami.contracts.channel import Channel
from openami.mdm.editing.case import CaseDraft, Cause, Facts, OpenItem, folded, signature_of
from openami.mdm.editing.decision import DecisionKind
from openami.mdm.editing.fix import FIXES, fix_of
from openami.mdm.vee.rules.catalog import RULE_BY_ID

DAY = date(2026, 3, 10)
FLEET = 2_000


def place(number: int) -> UUID:
    return UUID(int=number + 1)


def fleet() -> Facts:
    """Forty places a cell, two hundred a firmware, ten a transformer, five hundred a feeder."""
    of_place = {
        place(n): {
            Cause.CELL: f"cell {n // 40}",
            Cause.FIRMWARE: f"fw {n % 10}",
            Cause.TRANSFORMER: f"tx {n // 10}",
            Cause.FEEDER: f"feeder {n // 500}",
            Cause.METER_LOT: f"lot {n % 7}",
        }
        for n in range(FLEET)
    }
    population: dict[Cause, dict[str, int]] = {}
    for known in of_place.values():
        for cause, value in known.items():
            population.setdefault(cause, {}).setdefault(value, 0)
            population[cause][value] += 1
    return Facts(of_place, population, FLEET)


def items(numbers: list[int], rule: str = "missing", signature: str = "", day: date = DAY) -> list[OpenItem]:
    return [OpenItem(place(n), Channel.DELIVERED, rule, day, day, 1, signature, 1_000) for n in numbers]


def told(drafts: list[CaseDraft]) -> list[tuple[Cause, str, int]]:
    return [(d.cause, d.value, len(d.items)) for d in drafts]


def test_a_dark_cell_is_one_case_and_the_strays_stay_outside() -> None:
    drafts = folded(items([*range(80, 120), 500, 900, 1300]), fleet())
    assert told(drafts) == [(Cause.CELL, "cell 2", 40)]
    (draft,) = drafts
    assert (draft.evidence.places, draft.evidence.of, draft.evidence.elsewhere) == (40, 40, 3)
    assert draft.evidence.stake_wh == 40_000
    assert draft.evidence.words() == "40 of its 40 places have it (100%), 3 of 1,960 others (0.15%)"


def test_a_firmware_is_told_from_the_cells_that_it_is_spread_over() -> None:
    drafts = folded(items(list(range(3, FLEET, 10)), "clock_shifted", "shift_s=3600"), fleet())
    assert told(drafts) == [(Cause.FIRMWARE, "fw 3", 200)]
    assert (drafts[0].key, drafts[0].signature) == ("fw 3|shift_s=3600", "shift_s=3600")


def test_two_dark_cells_are_two_cases() -> None:
    drafts = folded(items([*range(40), *range(400, 440)]), fleet())
    assert sorted(told(drafts)) == [(Cause.CELL, "cell 0", 40), (Cause.CELL, "cell 10", 40)]


def test_a_feeder_is_named_where_all_of_its_cells_have_it() -> None:
    assert told(folded(items(list(range(500, 1000))), fleet())) == [(Cause.FEEDER, "feeder 1", 500)]


def test_faults_of_other_signatures_are_other_cases() -> None:
    one = items(list(range(40)), "clock_shifted", "shift_s=3600")
    other = items(list(range(400, 440)), "clock_shifted", "shift_s=-3600")
    assert {d.signature for d in folded([*one, *other], fleet())} == {"shift_s=3600", "shift_s=-3600"}


def test_one_day_everywhere_is_the_calendar() -> None:
    numbers = Random(5).sample(range(FLEET), 200)
    drafts = folded(items(numbers, "high_low"), fleet())
    assert told(drafts) == [(Cause.CALENDAR, "2026-03-10", 200)]


@pytest.mark.parametrize("count", [9, 30])
def test_findings_without_a_cause_stay_single(count: int) -> None:
    numbers = Random(count).sample(range(FLEET), count)
    assert folded(items(numbers, "spike"), fleet()) == []


def test_a_cell_that_has_it_twice_as_often_as_others_is_no_cause() -> None:
    dice = Random(2)
    others = [n for n in range(FLEET) if n // 40 != 2 and dice.random() < 0.15]
    spread = [replace(i, last=date(2026, 3, 12)) for i in items([*range(80, 120, 3), *others])]
    assert folded(spread, fleet()) == []


def test_a_whole_fleet_of_one_cell_has_no_cause_to_compare_with() -> None:
    facts = fleet()
    same = Facts({p: {Cause.CELL: "only"} for p in facts.of_place}, {Cause.CELL: {"only": FLEET}}, FLEET)
    spread = [replace(i, last=date(2026, 3, 12)) for i in items(list(range(100)))]
    assert folded(spread, same) == []


def test_no_item_is_in_two_cases_and_none_is_made_up() -> None:
    dice = Random(11)
    numbers = [n for n in range(FLEET) if n // 40 == 7 or n % 10 == 4 or dice.random() < 0.01]
    given = items(numbers)
    taken = [i for d in folded(given, fleet()) for i in d.items]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(given)
    assert len(taken) >= 200


def test_the_fold_does_not_depend_on_the_order_of_the_findings() -> None:
    given = items([*range(80, 120), *range(4, FLEET, 10)])
    shuffled = given.copy()
    Random(3).shuffle(shuffled)
    first, second = folded(given, fleet()), folded(shuffled, fleet())
    assert told(first) == told(second)
    assert [set(d.items) for d in first] == [set(d.items) for d in second]


def test_a_shift_of_the_clock_is_fixed_by_the_opposite_shift() -> None:
    for evidence, shift_s in (({"shift_s": 3600}, -3600), ({"shift_intervals": -4}, 3600)):
        fix = fix_of("clock_shifted", signature_of(evidence))
        assert (fix.kind, fix.shift_s) == (DecisionKind.SHIFT_CLOCK, shift_s)


@pytest.mark.parametrize(
    ("rule", "command"),
    [("crossed", "openami registry crossed FIRST SECOND"), ("multiplier", "openami registry multiplier SERIAL"),
     ("multiplier_step", "openami registry multiplier SERIAL"), ("meter_id", "openami registry exchange OLD NEW"),
     ("inactive_usage", "openami registry start PLACE"), ("reverse_unapproved", "fact PLACE interconnection")],
)  # fmt: skip
def test_a_case_that_the_registry_must_mend_names_the_command(rule: str, command: str) -> None:
    fix = fix_of(rule, "")
    assert fix.kind is None
    assert command in fix.words


def test_every_rule_of_the_catalog_has_a_fix_or_says_whose_move_it_is() -> None:
    shifting = {rule for rule in RULE_BY_ID if rule.startswith("clock_shift")}
    assert set(RULE_BY_ID) - set(FIXES) - shifting == set()
