"""The packed key table finds rows by title, keeps their numbers and prints no key."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from openami.contracts.reading import uuid_column
from openami.contracts.stream import partition_of
from openami.kernel.ids import SystemTitle
from openami.security.keys.level import SecurityLevel
from openami.security.keys.table import KeyColumns, KeyTable, title_number

TITLES = [b"OAM\x00\x00\x00\x00\x01", b"OAM\x00\x00\x00\x00\x02", b"LGZgsp\xb1w"]


def columns(rows: list[tuple[bytes, int, int]], revision: int = 1) -> KeyColumns:
    """Rows of (title, generation, state number); the key octets are the generation repeated."""
    return KeyColumns(
        title=np.array([title_number(t) for t, _, _ in rows], np.uint64),
        meter_id=uuid_column([UUID(bytes=t + t) for t, _, _ in rows]),
        generation=np.array([g for _, g, _ in rows], np.uint32),
        state=np.array([s for _, _, s in rows], np.uint8),
        profile=("oam-1",) * len(rows),
        zone=("",) * len(rows),
        encryption_keys=b"".join(bytes([g]) * 16 for _, g, _ in rows),
        authentication_keys=b"".join(bytes([g + 100]) * 16 for _, g, _ in rows),
        revision=revision,
    )


def asked(table: KeyTable, title: bytes) -> list[int]:
    first, count = table.candidates(np.array([title_number(title)], np.uint64))
    return [int(row) for row in table.row_at(first[0] + np.arange(count[0]))]


def test_an_empty_table_knows_no_title() -> None:
    assert asked(KeyTable(), TITLES[0]) == []
    assert KeyTable().find(np.array([1], np.uint64), np.array([1], np.uint32)).tolist() == [-1]


def test_key_pairs_are_tried_active_first_then_new_then_expired_and_withdrawn_never() -> None:
    table = KeyTable()
    table.merge(
        columns([(TITLES[0], 1, 2), (TITLES[0], 2, 0), (TITLES[0], 3, 1), (TITLES[0], 4, 3), (TITLES[1], 1, 0)])
    )
    assert [int(table.generation[r]) for r in asked(table, TITLES[0])] == [2, 3, 1]
    assert len(asked(table, TITLES[1])) == 1
    assert asked(table, TITLES[2]) == []


def test_rows_keep_their_numbers_when_others_are_added_or_change_state() -> None:
    table = KeyTable()
    table.merge(columns([(TITLES[1], 1, 0)]))
    table.merge(columns([(TITLES[0], 1, 0), (TITLES[1], 1, 2), (TITLES[1], 2, 0)], revision=7))
    assert asked(table, TITLES[1]) == [2, 0]
    assert asked(table, TITLES[0]) == [1]
    pairs = [bytes([2]) * 16 + bytes([102]) * 16, bytes([1]) * 16 + bytes([101]) * 16]
    assert table.key_pairs(np.array([2, 0])) == pairs
    assert table.pair_columns(np.array([2, 0])).tobytes() == b"".join(pairs)
    assert table.revision == 7
    assert table.find(np.array([title_number(TITLES[1])] * 2, np.uint64), np.array([2, 9], np.uint32)).tolist() == [
        2,
        -1,
    ]


def test_a_row_knows_the_partition_of_its_title() -> None:
    table = KeyTable()
    table.merge(columns([(t, 1, 0) for t in TITLES]))
    assert table.partition.tolist() == [partition_of(SystemTitle(t)) for t in TITLES]


@pytest.mark.attack("A34")
def test_nothing_of_the_table_prints_a_key() -> None:
    batch = columns([(TITLES[0], 1, 0)])
    table = KeyTable()
    table.merge(batch)
    assert repr(batch) == "KeyColumns(1 key pairs, ***)"
    assert repr(table) == "KeyTable(1 key pairs, ***)"


def test_rows_are_parted_by_profile_and_zone() -> None:
    table = KeyTable()
    table.merge(columns([(t, 1, 0) for t in TITLES]))
    other = replace(columns([(TITLES[1], 1, 0)]), profile=("lg",), zone=("Europe/Vienna",))
    table.merge(other)
    found = [(name, places.tolist()) for name, places in table.dialects(np.array([2, 1, 0, 1]))]
    assert found == [(("oam-1", ""), [0, 2]), (("lg", "Europe/Vienna"), [1, 3])]


def test_the_level_of_a_meter_comes_from_the_pair_in_use_and_a_mark_on_it() -> None:
    table = KeyTable()
    rows = [(TITLES[0], 1, 2), (TITLES[0], 2, 0), (TITLES[1], 1, 0), (TITLES[1], 2, 1)]
    table.merge(columns(rows))
    assert [table.level_of(t).name for t in TITLES] == ["SECURED", "FACTORY", "NONE"]
    table.merge(replace(columns(rows, revision=2), compromised=np.array([True, False, True, False])))
    assert [table.level_of(t).name for t in TITLES] == ["SECURED", "COMPROMISED", "NONE"]
    table.merge(columns(rows, revision=3))
    assert table.level_of(TITLES[1]) is SecurityLevel.FACTORY


def test_a_meter_whose_only_pair_expired_or_is_new_has_no_level() -> None:
    table = KeyTable()
    table.merge(columns([(TITLES[0], 3, 2), (TITLES[1], 3, 1), (TITLES[2], 3, 3)]))
    assert {table.level_of(t) for t in TITLES} == {SecurityLevel.NONE}
