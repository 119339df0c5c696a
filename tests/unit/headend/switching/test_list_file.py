"""A signed order list is taken whole as it was signed, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.headend.switching.list_file import SIGNED_NAME, OrderList, read_list, written_list
from openami.headend.switching.order import (
    ITEM_OCTETS,
    SwitchAction,
    SwitchItem,
    SwitchOrderError,
    SwitchReason,
    SwitchSubject,
    decode_item,
    subject_of,
)
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.suites.ed25519 import public_key_of, sign

KEY, OTHER = b"k" * 32, b"o" * 32
PUBLIC = (public_key_of(OTHER), public_key_of(KEY))
MADE = datetime(2026, 3, 2, 12, tzinfo=UTC)
CUT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
PLACES = tuple((SystemTitle(b"OAM" + n.to_bytes(5, "big")), UUID(int=n)) for n in range(200))
LIST = OrderList(UUID(int=9), CUT, MADE, Period(MADE, MADE + timedelta(hours=8)), PLACES)


def signed(octets: bytes, key: bytes = KEY) -> bytes:
    return octets + b"signature " + sign(SIGNED_NAME + octets, private_key=key).hex().encode() + b"\n"


def written(found: OrderList = LIST) -> bytes:
    return written_list(found, sign=lambda octets: sign(octets, private_key=KEY))


@pytest.mark.parametrize("subject", [CUT, SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID), None])
def test_a_list_is_read_as_it_was_written(subject: SwitchSubject | None) -> None:
    found = replace(LIST, subject=subject)
    assert read_list(written(found), public_keys=PUBLIC) == found


@pytest.mark.attack("A16")
@given(place=st.integers(0, 20_000), octet=st.integers(0, 255))
def test_a_list_with_any_octet_changed_is_refused_whole(place: int, octet: int) -> None:
    octets = bytearray(written())
    place %= len(octets)
    if octets[place] == octet:
        return
    octets[place] = octet
    try:
        assert read_list(bytes(octets), public_keys=PUBLIC) == LIST
        # The digits of a signature may be written in capitals; nothing else may change.
        assert bytes(octets).lower() == written()
    except SwitchOrderError:
        pass


@pytest.mark.attack("A16")
def test_a_list_with_one_meter_more_or_less_is_refused_whole() -> None:
    lines = written().split(b"\n")
    for changed in ([*lines[:20], *lines[21:]], [*lines[:20], lines[20], *lines[20:]]):
        with pytest.raises(SwitchOrderError, match="refused whole"):
            read_list(b"\n".join(changed), public_keys=PUBLIC)


@pytest.mark.attack("A16")
def test_a_list_that_another_key_has_signed_is_refused() -> None:
    assert read_list(written(), public_keys=PUBLIC[1:]) == LIST
    for keys in (PUBLIC[:1], ()):
        with pytest.raises(SwitchOrderError, match="no registered key"):
            read_list(written(), public_keys=keys)


HEAD = written().split(b"4f414d")[0]
ROW = f"{PLACES[1][0]} {PLACES[1][1]}\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"openami order list 2\n",
        HEAD.replace(b"200", b"0"),
        HEAD.replace(b"200", b"2") + ROW,
        HEAD.replace(b"200", b"2") + ROW + ROW,
        HEAD.replace(b"200", b"1") + b"4f41 x\n",
        HEAD.replace(b"200", b"1").replace(b"disconnect", b"destroy") + ROW,
        HEAD.replace(b"200", b"1").replace(b"disconnect", b"limit 5 W") + ROW,
        HEAD.replace(b"200", b"1").replace(b"non_payment", b"whim") + ROW,
        HEAD.replace(b"200", b"1").replace(b"+00:00", b"") + ROW,
        HEAD.replace(b"200", b" 1") + ROW,
        HEAD.replace(b"200", b"1").replace(b"list 0", b"list z") + ROW,
        HEAD.replace(b"200", b"1") + ROW.replace(b"\n", b"\r\n"),
        HEAD.replace(b"200", b"1") + ROW.upper(),
        b"\xff",
    ],
)
def test_what_is_signed_and_no_list_is_refused_in_words(body: bytes) -> None:
    assert read_list(signed(HEAD.replace(b"200", b"1") + ROW), public_keys=PUBLIC).places == (PLACES[1],)
    with pytest.raises(SwitchOrderError):
        read_list(signed(body), public_keys=PUBLIC)


@given(st.binary(max_size=300))
def test_any_signed_octets_are_a_list_or_refused(octets: bytes) -> None:
    with pytest.raises(SwitchOrderError):
        read_list(signed(octets), public_keys=PUBLIC)


def test_an_item_is_read_as_it_was_written() -> None:
    item = SwitchItem(PLACES[3][0], UUID(int=7), feeder=0xFFFFFFFF, load_w=9_000)
    assert len(item.encode()) == ITEM_OCTETS
    assert decode_item(item.encode()) == item
    with pytest.raises(SwitchOrderError):
        decode_item(item.encode()[1:])


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("limit 5", "test"),
        ("limit 05 W", "test"),
        ("limit 0 W", "test"),
        ("limit", "test"),
        ("limit 1000001 W", "test"),
        ("disconnect now", "test"),
        ("disconnect", "paid"),
        ("reconnect", "non_payment"),
        ("", "test"),
    ],
)
def test_texts_that_are_no_switching_order_are_refused(action: str, reason: str) -> None:
    with pytest.raises(SwitchOrderError):
        subject_of(action, reason)


def test_every_subject_is_read_from_its_own_texts() -> None:
    for action in SwitchAction:
        for reason in SwitchReason:
            for limit_w in (0, 5_000):
                try:
                    subject = SwitchSubject(action, reason, limit_w)
                except MisuseError:
                    continue
                assert subject_of(subject.text, reason.value) == subject
                closes = action is SwitchAction.RECONNECT and reason in {SwitchReason.PAID, SwitchReason.WRONG_CUT}
                assert subject.people == (1 if closes else 2)
