"""Directives and their bodies: what is written is read again; every other octet is a ContractError."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import LAST_MS
from openami.contracts.directive import MAX_NUMBER, PARTS, Directive, DirectiveKind, decode_directive
from openami.contracts.directive_body import (
    MAX_RELEASED,
    Released,
    Revoked,
    decode_known_titles,
    decode_released,
    decode_revoked,
    encode_known_titles,
)
from openami.contracts.errors import ContractError
from openami.contracts.stream import partition_of_octets
from openami.kernel.errors import MisuseError

directives = st.sampled_from(DirectiveKind).flatmap(
    lambda kind: st.builds(
        Directive,
        st.just(kind),
        st.integers(0, PARTS[kind] - 1),
        st.integers(1, MAX_NUMBER),
        st.integers(0, LAST_MS),
        st.binary(max_size=100),
        st.binary(min_size=64, max_size=64),
    )
)
numbers, instants = st.integers(1, 2**32 - 1), st.integers(0, LAST_MS)
GIVEN = Directive(DirectiveKind.REVOKED, 0, 7, 1_000, b"body", bytes(range(64)))


@settings(max_examples=60)
@given(directives)
def test_a_directive_is_read_as_it_was_written(given_directive: Directive) -> None:
    assert decode_directive(given_directive.encode()) == given_directive


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 63))
def test_any_octets_give_a_value_or_a_contract_error(octets: bytes, part: int) -> None:
    for decode in (
        decode_directive,
        lambda o: decode_known_titles(o, part=part),
        decode_revoked,
        decode_released,
    ):
        try:
            decode(octets)
        except ContractError:
            continue


@given(st.data())
def test_a_flipped_bit_gives_another_directive_or_a_contract_error(data: st.DataObject) -> None:
    octets = bytearray(GIVEN.encode())
    at = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[at // 8] ^= 1 << at % 8
    try:
        other = decode_directive(bytes(octets))
    except ContractError:
        return
    assert other != GIVEN


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (GIVEN.encode()[:-1], "a body of 4 octets"),
        (GIVEN.encode() + b"\0", "a body of 4 octets"),
        (b"OC01" + GIVEN.encode()[4:], "magic"),
        (Directive(DirectiveKind.REVOKED, 1, 1, 0, b"").encode(), "part 1"),
        (Directive(DirectiveKind.KNOWN_TITLES, 64, 1, 0, b"").encode(), "part 64"),
        (Directive(DirectiveKind.REVOKED, 0, 0, 0, b"").encode(), "number 0"),
        (b"", "0 octets"),
    ],
)
def test_what_is_no_directive_is_refused_and_named(octets: bytes, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        decode_directive(octets)


def test_kind_part_number_time_and_body_are_all_signed() -> None:
    others = [
        Directive(DirectiveKind.RELEASE, 0, 7, 1_000, b"body"),
        Directive(DirectiveKind.REVOKED, 0, 8, 1_000, b"body"),
        Directive(DirectiveKind.REVOKED, 0, 7, 1_001, b"body"),
        Directive(DirectiveKind.REVOKED, 0, 7, 1_000, b"Body"),
    ]
    assert GIVEN.signed_octets() not in {o.signed_octets() for o in others}
    assert len({o.signed_octets() for o in others}) == 4


TITLES = {title: 1 for i in range(2_000) if partition_of_octets(title := b"OAM" + i.to_bytes(5)) == 9}


def test_titles_are_read_as_they_were_written() -> None:
    assert len(TITLES) > 10
    assert decode_known_titles(encode_known_titles(TITLES), part=9) == TITLES
    assert decode_known_titles(b"", part=3) == {}


def test_titles_of_another_partition_or_out_of_order_are_refused() -> None:
    body = encode_known_titles(TITLES)
    for spoiled in (body[9:18] + body[:9], body[:9] * 2, b"\x03" + body[1:], body[:-1]):
        with pytest.raises(ContractError, match="known titles"):
            decode_known_titles(spoiled, part=9)
    with pytest.raises(ContractError, match="partition 8"):
        decode_known_titles(body, part=8)


@given(
    st.frozensets(st.integers(0, 2**160 - 1), max_size=5),
    st.dictionaries(numbers, instants, max_size=5),
    st.dictionaries(numbers, st.tuples(instants, instants), max_size=5),
)
def test_revocations_are_read_as_they_were_written(
    serials: frozenset[int], stolen: dict[int, int], doubted: dict[int, tuple[int, int]]
) -> None:
    revoked = Revoked(serials, stolen, doubted)
    assert decode_revoked(revoked.encode()) == revoked


@given(st.frozensets(st.binary(min_size=16, max_size=16), max_size=5), st.frozensets(st.uuids(), max_size=5))
def test_releases_are_read_as_they_were_written(frames: frozenset[bytes], commands: frozenset[UUID]) -> None:
    released = Released(frames, commands)
    assert decode_released(released.encode()) == released


def test_more_than_a_body_takes_is_said_before_it_is_signed() -> None:
    with pytest.raises(MisuseError, match="more than a body takes"):
        Released(frozenset(i.to_bytes(16) for i in range(MAX_RELEASED + 1))).encode()
