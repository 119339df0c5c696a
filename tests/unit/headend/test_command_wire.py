"""Requests to the command process: read as written, bounded, and nothing but ContractError for other octets."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import Refusal
from openami.contracts.errors import ContractError
from openami.headend.command.wire import (
    MAX_REQUEST_OCTETS,
    KeysRequest,
    ProveRequest,
    Reply,
    SealRequest,
    SendRequest,
    Status,
    decode_begun,
    decode_keys,
    decode_prove,
    decode_reply,
    decode_seal,
    decode_send,
    encode_begun,
)
from openami.kernel.ids import SystemTitle

TITLE = SystemTitle(b"OAM\0\0\0\0\1")


def test_requests_are_read_as_they_were_written() -> None:
    seal = SealRequest(TITLE, 0x30, b"\xc0\1", generation=3)
    prove = ProveRequest(TITLE, bytes(16), generation=2**32 - 1)
    send = SendRequest(TITLE, UUID(int=3), 1_772_496_030_000, b"\0\1")
    assert (decode_seal(seal.encode()), decode_prove(prove.encode()), decode_send(send.encode())) == (seal, prove, send)
    for keys in (KeysRequest(TITLE), KeysRequest(TITLE, 2), KeysRequest(TITLE, 2, b"\x30sealed")):
        assert decode_keys(keys.encode()) == keys
    assert [decode_begun(encode_begun(2, is_fresh=fresh)) for fresh in (True, False)] == [(2, True), (2, False)]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(Status.DONE, b"sealed"), id="done"),
        pytest.param(Reply(Status.DONE), id="done without octets"),
        pytest.param(Reply(Status.REFUSED, refusal=Refusal.NEEDS_APPROVAL, text="needs an approval"), id="refused"),
        pytest.param(Reply(Status.UNAVAILABLE, text="away"), id="unavailable"),
    ],
)
def test_replies_are_read_as_they_were_written(reply: Reply) -> None:
    assert decode_reply(reply.encode()) == reply


@settings(max_examples=150)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\3"]))
def test_any_octets_give_a_value_or_a_contract_error(octets: bytes, start: bytes) -> None:
    for decode in (decode_seal, decode_prove, decode_send, decode_keys, decode_begun, decode_reply):
        try:
            decode(start + octets)
        except ContractError:
            continue


@pytest.mark.parametrize("extra", [0, 1])
def test_a_request_has_a_bound(extra: int) -> None:
    octets = SealRequest(TITLE, 0x30, bytes(MAX_REQUEST_OCTETS - 14 + extra)).encode()
    if extra:
        with pytest.raises(ContractError):
            decode_seal(octets)
    else:
        assert len(decode_seal(octets).plaintext) == MAX_REQUEST_OCTETS - 14


def test_what_is_secret_is_not_shown() -> None:
    secret = b"\xc3secret"
    requests = (SealRequest(TITLE, 0x30, secret), ProveRequest(TITLE, secret), KeysRequest(TITLE, 2, secret))
    for value in (*requests, Reply(Status.DONE, secret)):
        assert "secret" not in repr(value)
