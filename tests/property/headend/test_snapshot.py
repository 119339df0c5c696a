"""A page of windows comes back as it was, and any other octets are one declared error."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.errors import ContractError
from openami.contracts.reading import uuid_column
from openami.headend.listening.snapshot import encode_page, restore_page
from openami.headend.listening.window import CounterWindows
from openami.security.keys.table import KeyColumns, KeyTable

METERS = 5


def key_table() -> KeyTable:
    table = KeyTable()
    table.merge(
        KeyColumns(
            title=np.arange(1, METERS + 1).astype(np.uint64),
            meter_id=uuid_column([UUID(int=i) for i in range(METERS)]),
            generation=np.ones(METERS, np.uint32),
            state=np.zeros(METERS, np.uint8),
            profile=("oam-1",) * METERS,
            zone=("",) * METERS,
            encryption_keys=bytes(16 * METERS),
            authentication_keys=bytes(16 * METERS),
            revision=1,
        )
    )
    return table


def filled(steps: list[tuple[int, int]]) -> CounterWindows:
    windows = CounterWindows(METERS)
    windows.accept(np.array([r for r, _ in steps], np.int64), np.array([c for _, c in steps], np.int64))
    return windows


steps = st.lists(st.tuples(st.integers(0, METERS - 1), st.integers(0, 5000)), max_size=60)


@given(steps=steps)
def test_windows_come_back_as_they_were(steps: list[tuple[int, int]]) -> None:
    table, before, after = key_table(), filled(steps), CounterWindows(0)
    octets = encode_page(before, table, np.arange(METERS))
    assert restore_page(after, table, octets).tolist() == list(range(METERS))
    assert (after.highest == before.highest).all()
    assert (after.bitmap == before.bitmap).all()


@given(head=st.sampled_from([b"", b"OW01\x02\x00\x00\x00"]), octets=st.binary(max_size=200))
def test_any_octets_are_refused_in_one_way(head: bytes, octets: bytes) -> None:
    with pytest.raises(ContractError):
        restore_page(CounterWindows(0), key_table(), head + octets)


@given(data=st.data())
def test_a_cut_page_is_refused(data: st.DataObject) -> None:
    octets = encode_page(filled([(0, 1), (1, 9)]), key_table(), np.arange(METERS))
    with pytest.raises(ContractError):
        restore_page(CounterWindows(0), key_table(), octets[: data.draw(st.integers(0, len(octets) - 1))])


@pytest.mark.attack("A3")
def test_a_window_whose_key_is_gone_is_never_dropped_in_silence() -> None:
    octets = encode_page(filled([(0, 1)]), key_table(), np.arange(METERS))
    with pytest.raises(ContractError, match="5 of 5 key pairs"):
        restore_page(CounterWindows(0), KeyTable(), octets)
