"""Our cipher suites give the figures that others published."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import pytest

from openami.kernel.obis import Obis
from openami.protocol import apdu, axdr
from openami.protocol.apdu.acse import Conformance, InitiateRequest, ReleaseRequest
from openami.protocol.apdu.services import GetRequest
from openami.protocol.cosem import decode_date_time
from openami.protocol.cosem.profile_buffer import expand_rows
from openami.protocol.cosem.reference import AttributeRef
from openami.security.suites.agreement import agree_ephemeral, derive_key
from openami.security.suites.batch import open_batch
from openami.security.suites.curve import public_key_of, shared_secret, sign, verify_signature
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import (
    gmac_answer,
    open_reference,
    open_sealed,
    seal,
    verify_gmac_answer,
)
from openami.security.suites.wrap import unwrap_key, wrap_key


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
    private, public = bytes.fromhex(a["client_ephemeral_private"]), bytes.fromhex(a["server_ephemeral_public"])
    client, server = bytes.fromhex(a["client_title"]), bytes.fromhex(a["server_title"])
    secret = shared_secret(private, public)
    assert secret.hex() == a["z"]
    assert derive_key(secret, party_u=client, party_v=server).hex() == a["derived_unicast_key"]
    agreed = agree_ephemeral(private, public, client_title=client, server_title=server)
    assert agreed.hex() == a["derived_unicast_key"]


# RFC 6979, A.2.5 and A.2.6: deterministic signatures of "sample".
SIGNATURES = [
    pytest.param(
        1,
        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        id="P-256",
    ),
    pytest.param(
        2,
        "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
        "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
        "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46"
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
        id="P-384",
    ),
]


@pytest.mark.parametrize(("suite", "private", "public", "signature"), SIGNATURES)
def test_signatures_are_those_of_rfc_6979(suite: int, private: str, public: str, signature: str) -> None:
    key = bytes.fromhex(private)
    assert public_key_of(key, suite=suite).hex() == public
    assert sign(key, b"sample", suite=suite).hex() == signature
    assert verify_signature(bytes.fromhex(public), b"sample", bytes.fromhex(signature), suite=suite)
    assert not verify_signature(bytes.fromhex(public), b"Sample", bytes.fromhex(signature), suite=suite)


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
    octets = bytes.fromhex(a["hex"])
    rows = expand_rows(axdr.decode(octets), capture_period_s=3600)
    stamps = [decode_date_time(row[0].octets or b"").to_utc() for row in rows]
    assert stamps == [datetime.fromisoformat(r[0]) for r in a["expected_rows"]]
    assert [[c.value for c in row[1:]] for row in rows] == [r[1:] for r in a["expected_rows"]]


def test_the_ciphered_release_is_read_layer_by_layer(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["iec_e7_rlrq"]
    octets = bytes.fromhex(a["apdu"])
    release = apdu.decode(octets)
    assert isinstance(release, ReleaseRequest)
    assert release.user_information is not None
    assert apdu.encode(release) == octets
    sealed = apdu.decode(release.user_information)
    assert isinstance(sealed, apdu.ServiceCiphering)
    assert sealed.tag is apdu.ApduTag.GLO_INITIATE_REQUEST
    plain = open_sealed(bytes.fromhex(a["system_title"]), sealed.sealed_body, **keys_of(a))
    initiate = apdu.decode(plain)
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert initiate == InitiateRequest(Conformance(0x007E1F), 1200, key)
    assert apdu.encode(initiate).hex() == a["plain"]


def test_the_worked_get_request_asks_for_the_clock(answers: dict[str, dict[str, Any]]) -> None:
    plain = bytes.fromhex(answers["gb_get_request_auth_enc"]["plain"])
    request = apdu.decode(plain)
    assert request == GetRequest(0, AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2))
    assert apdu.encode(request) == plain
