"""A message of the tables, whole or altered, into an association that is open: it answers and goes on. A21."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.protocol import invariants
from tests.attack.protocol.seeds import MESSAGES

ENDS = [
    pytest.param(invariants._server, id="A21-server"),
    pytest.param(invariants._client, id="A21-client"),
    pytest.param(invariants._blocks, id="A21-blocks"),
]


@pytest.mark.parametrize("end", ENDS)
def test_every_message_of_the_tables_is_survived(end: invariants.Decoder) -> None:
    for octets in MESSAGES:
        invariants.check(end, octets)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(MESSAGES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
@pytest.mark.parametrize("end", ENDS)
def test_every_altered_message_is_survived(
    end: invariants.Decoder, octets: bytes, changes: list[tuple[int, int]]
) -> None:
    altered = bytearray(octets)
    for at, octet in changes:
        altered[at % len(altered)] = octet
    invariants.check(end, bytes(altered))
