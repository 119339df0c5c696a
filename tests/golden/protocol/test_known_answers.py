"""Our cipher suites give the figures that others published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

import pytest

from openami.protocol import axdr
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import (
    gmac_answer,
    open_batch,
    open_reference,
    open_sealed,
    seal,
    verify_gmac_answer,
)
from openami.security.suites.wrap import derive_key_128, shared_secret_p256, unwrap_key, wrap_key


@pytest.fixture
def answers(shared_data: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    return {a["name"]: a for a in document["known_answers"]}


class Keys(TypedDict):
    key: bytes
    auth_key: bytes


def keys_of(answer: dict[str, Any]) -> Keys:
    return {
        "key": bytes.fromhex(answer["keys"]["encryption"]),
        "auth_key": bytes.fromhex(answer["keys"]["authentication"]),
    }


@pytest.mark.parametrize("name", ["gb_get_request_auth_enc", "gb_get_request_auth_only"])
def test_the_worked_get_request_seals_and_opens(answers: dict[str, dict[str, Any]], name: str) -> None:
    a = answers[name]
    title, plain = bytes.fromhex(a["system_title"]), bytes.fromhex(a["plain"])
    payload = bytes.fromhex(a.get("ciphertext", a["plain"]))
    sealed = seal(title, a["invocation_counter"], plain, control=a["security_control"], **keys_of(a))
    assert sealed[5:] == payload + bytes.fromhex(a["tag"])
    assert open_sealed(title, sealed, **keys_of(a)) == plain
    assert open_reference(title, sealed, **keys_of(a)) == plain


def test_the_ciphered_release_opens(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["iec_e7_rlrq"]
    apdu, title = bytes.fromhex(a["apdu"]), bytes.fromhex(a["system_title"])
    # 62 39 80 01 00 be 34 04 32 | glo-initiate-request 21 30 | SC ...
    body = apdu[11:]
    assert open_sealed(title, body, **keys_of(a)).hex() == a["plain"]
    assert open_batch(
        [title], [a["invocation_counter"]], [0x30], [body[5:]], [keys_of(a)["key"] + keys_of(a)["auth_key"]]
    ) == [bytes.fromhex(a["plain"])]


def test_both_ends_of_mechanism_5_answer_as_published(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["gb_hls5_gmac"]
    for title, challenge, answer in (
        (a["client_title"], a["stoc"], a["f_stoc"]),
        (a["server_title"], a["ctos"], a["f_ctos"]),
    ):
        octets = bytes.fromhex(answer)
        made = gmac_answer(bytes.fromhex(title), int.from_bytes(octets[1:5]), bytes.fromhex(challenge), **keys_of(a))
        assert made == octets
        assert verify_gmac_answer(bytes.fromhex(title), octets, bytes.fromhex(challenge), **keys_of(a))
        flipped = octets[:-1] + bytes((octets[-1] ^ 1,))
        assert not verify_gmac_answer(bytes.fromhex(title), flipped, bytes.fromhex(challenge), **keys_of(a))


def test_suite_1_key_agreement_gives_the_published_key(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["suite1_key_agreement_I1"]
    secret = shared_secret_p256(
        bytes.fromhex(a["client_ephemeral_private"]), bytes.fromhex(a["server_ephemeral_public"])
    )
    assert secret.hex() == a["z"]
    key = derive_key_128(secret, party_u=bytes.fromhex(a["client_title"]), party_v=bytes.fromhex(a["server_title"]))
    assert key.hex() == a["derived_unicast_key"]


def test_key_wrap_gives_the_figure_of_rfc_3394() -> None:
    # RFC 3394, 4.1: 128 bits of key data with a 128-bit wrapping key.
    wrapping, key = bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
    wrapped = wrap_key(key, wrapping_key=wrapping)
    assert wrapped.hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
    assert unwrap_key(wrapped, wrapping_key=wrapping) == key
    with pytest.raises(SuiteError, match="integrity"):
        unwrap_key(wrapped[:-1] + b"\x00", wrapping_key=wrapping)
    with pytest.raises(SuiteError, match="integrity"):
        unwrap_key(b"short", wrapping_key=wrapping)


def test_a_null_compressed_profile_keeps_its_columns(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["profile_generic_null_compressed"]
    rows = axdr.decode(bytes.fromhex(a["hex"])).elements
    assert [[c.value for c in row.elements[1:]] for row in rows] == [r[1:] for r in a["expected_rows"]]
    assert [row.elements[0].tag.name for row in rows] == ["OCTET_STRING", "NULL", "NULL", "NULL"]
    assert axdr.encode(axdr.array(*rows)).hex() == a["hex"]
