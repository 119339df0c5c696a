"""Two snapshots compared: every difference counted once, by what it is, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.reconcile import flat_reconciliation, reconciled
from openami.mdm.exchange.snapshot import COLUMNS, Snapshot, flat_snapshot, parse_snapshot

AT = datetime(2026, 11, 30, 6, tzinfo=UTC)
HEAD = "openami snapshot 1,CIS,S-1,2026-11-30T06:00:00Z\n"
FULL = {
    "premise": "PR-1", "meter": "SN-1", "multiplier": "40", "account": "A-1", "rate": "R-1", "bill_group": "7",
    "state": "active", "reading": "interval",
}  # fmt: skip


def side(
    places: dict[str, dict[str, str]], *, fields: tuple[str, ...] = COLUMNS, twice: tuple[str, ...] = ()
) -> Snapshot:
    return Snapshot("CIS", "S-1", AT, fields, places, twice)


def test_equal_sides_differ_in_nothing() -> None:
    found = reconciled(side({"SP-1": FULL}), side({"SP-1": FULL}))
    assert (found.ours, found.theirs, found.equal, found.differences, found.counts) == (1, 1, 1, (), {})


@pytest.mark.parametrize("field", COLUMNS)
def test_a_field_that_differs_is_counted_under_its_name(field: str) -> None:
    other = FULL | {
        field: "8" if field in {"bill_group", "multiplier"} else "by_hand" if field == "reading" else "OTHER"
    }
    found = reconciled(side({"SP-1": FULL}), side({"SP-1": other}))
    assert found.counts == {field: 1}
    assert (found.differences[0].ours, found.differences[0].theirs) == (FULL[field], other[field])


def test_a_place_that_differs_in_several_fields_counts_under_each() -> None:
    other = FULL | {"meter": "SN-2", "rate": "R-2", "bill_group": "8"}
    found = reconciled(side({"SP-1": FULL}), side({"SP-1": other}))
    assert found.counts == {"bill_group": 1, "meter": 1, "rate": 1}
    assert (found.equal, len(found.differences)) == (0, 3)


def test_places_of_one_side_alone_and_places_listed_twice_are_counted() -> None:
    ours = side({"A": FULL, "B": FULL, "C": FULL})
    found = reconciled(ours, side({"B": FULL, "D": FULL}, twice=("B",)))
    assert found.counts == {"only_ours": 2, "only_theirs": 1, "twice": 1}
    assert found.equal == 1


def test_only_what_the_other_side_tells_is_compared() -> None:
    found = reconciled(side({"A": FULL}), side({"A": {"meter": "SN-1"}}, fields=("meter",)))
    assert found.differences == ()


def test_nothing_said_of_a_service_is_an_active_one_and_no_meter_has_no_multiplier() -> None:
    bare = FULL | {"state": "", "reading": "", "meter": "", "multiplier": ""}
    told = FULL | {"state": "active", "reading": "interval", "meter": "", "multiplier": "40"}
    assert reconciled(side({"A": bare}), side({"A": told})).differences == ()


def test_a_snapshot_is_written_and_read_back() -> None:
    ours = side({"SP-2": FULL, "SP-1": FULL | {"rate": ""}})
    read = parse_snapshot(flat_snapshot(ours).encode())
    assert (read.places, read.fields, read.at, read.sender) == (ours.places, COLUMNS, AT, "CIS")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "service_point,meter\nA,1\n", "no end line"),
        (HEAD + "service_point,meter\nA,1\nend,2\n", "line 4"),
        (HEAD + "meter,service_point\nend,0\n", "line 2"),
        (HEAD + "service_point,name\nend,0\n", "line 2"),
        (HEAD + "service_point,meter,meter\nend,0\n", "twice"),
        (HEAD + "service_point,bill_group\nA,many\nend,1\n", "line 3: .*whole number"),
        (HEAD + "service_point,account\nA,Jane Smith\nend,1\n", "line 3: .*not an id"),
        (HEAD + "service_point,meter\nA\nend,1\n", "line 3: has 1 cells"),
    ],
)
def test_a_snapshot_that_is_not_whole_is_not_compared(text: str, reason: str) -> None:
    with pytest.raises(MessageRefusedError, match=reason):
        parse_snapshot(text.encode())


def test_the_differences_are_a_file_that_counts_itself() -> None:
    found = reconciled(side({"A": FULL}), side({"A": FULL | {"rate": "R-2"}}))
    assert flat_reconciliation(found, snapshot="S-1", at="2026-11-30T07:00:00Z").splitlines() == [
        "openami reconciliation 1,openami,S-1,2026-11-30T07:00:00Z", "service_point,what,ours,theirs",
        "A,rate,R-1,R-2", "end,1",
    ]  # fmt: skip


PLACES = st.dictionaries(
    st.sampled_from("ABCDE"),
    st.fixed_dictionaries({f: st.sampled_from(("X", "Y")) for f in ("meter", "rate")}),
    max_size=5,
)


@given(PLACES, PLACES)
def test_what_one_side_misses_the_other_has_and_places_add_up(
    mine: dict[str, dict[str, str]], other: dict[str, dict[str, str]]
) -> None:
    there = reconciled(side(mine), side(other, fields=("meter", "rate")))
    back = reconciled(side(other), side(mine, fields=("meter", "rate")))
    swapped = {"only_ours": "only_theirs", "only_theirs": "only_ours"}
    assert {swapped.get(k, k): n for k, n in there.counts.items()} == back.counts
    differing = {d.service_point for d in there.differences}
    assert there.equal + len(differing) == len(mine.keys() | other.keys())
