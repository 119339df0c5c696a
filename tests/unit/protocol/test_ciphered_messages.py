"""Ciphered messages octet by octet: lengths of every form, titles, and where the key comes from."""

from __future__ import annotations

import pytest

from openami.protocol import apdu
from openami.protocol.apdu import (
    CLEAR_OF,
    AgreedKey,
    ApduTag,
    GeneralCiphering,
    GeneralDedCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    KeyInfo,
    ProtectionHeader,
    ServiceCiphering,
    WrappedKey,
    general_glo,
)
from openami.protocol.apdu.codec import Apdu
from openami.protocol.cosem import decode_date_time
from openami.protocol.errors import PeerError, UsageError

# The worked GET-request of the known answers, under the global key: length 0x1e, SC 0x30, counter 01234567.
WORKED = "c81e 30 01234567 411312ff935a47566827c467bc 7d825c3be4a77c3fcc056b6b"
TITLE = "4d4d4d0000bc614e"
BODY = bytes.fromhex("3001234567") + b"\xaa" * 4
TRANSACTION = bytes.fromhex("0123456789012345")
CLIENT, SERVER = bytes.fromhex(TITLE), bytes.fromhex("4d4d4d0000000001")
HEADER = ProtectionHeader(TRANSACTION, CLIENT, SERVER)
HEAD = f"08 0123456789012345 08 {TITLE} 08 4d4d4d0000000001 00 00"
STAMP = decode_date_time(bytes.fromhex("07ea03010706000000016800"))


def test_the_worked_get_request_is_named_by_its_tag() -> None:
    octets = bytes.fromhex(WORKED)
    message = apdu.decode(octets)
    assert message == ServiceCiphering(ApduTag.GLO_GET_REQUEST, octets[2:])
    assert apdu.encode(message) == octets
    assert CLEAR_OF[ApduTag.GLO_GET_REQUEST] is ApduTag.GET_REQUEST


@pytest.mark.parametrize(
    ("size", "length"),
    [(5, "05"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (65_000, "82fde8")],
    ids=str,
)
def test_a_length_of_any_size_is_written_in_its_shortest_form(size: int, length: str) -> None:
    body = bytes(size)
    assert apdu.encode(ServiceCiphering(ApduTag.GLO_GET_RESPONSE, body))[1:-size].hex() == length
    assert apdu.encode(GeneralDedCiphering(CLIENT, body))[10:-size].hex() == length
    assert general_glo(CLIENT, body)[10:-size].hex() == length
    assert apdu.encode(GeneralCiphering(HEADER, None, body))[31:-size].hex() == length
    assert apdu.encode(GeneralSigning(HEADER, body, b""))[30 : -size - 1].hex() == length


CASES: list[tuple[str, str, Apdu]] = [
    ("dedicated", f"d4 09 {BODY.hex()}", ServiceCiphering(ApduTag.DED_GET_RESPONSE, BODY)),
    ("initiate", f"21 09 {BODY.hex()}", ServiceCiphering(ApduTag.GLO_INITIATE_REQUEST, BODY)),
    ("general ded", f"dc 08 {TITLE} 09 {BODY.hex()}", GeneralDedCiphering(CLIENT, BODY)),
    ("general ded without a title", f"dc 00 09 {BODY.hex()}", GeneralDedCiphering(b"", BODY)),
    ("no key information", f"dd {HEAD} 00 09 {BODY.hex()}", GeneralCiphering(HEADER, None, BODY)),
    (
        "an identified key",
        f"dd {HEAD} 01 00 01 09 {BODY.hex()}",
        GeneralCiphering(HEADER, IdentifiedKey(KeyId.GLOBAL_BROADCAST), BODY),
    ),
    (
        "a wrapped key",
        f"dd {HEAD} 01 01 00 04 01020304 09 {BODY.hex()}",
        GeneralCiphering(HEADER, WrappedKey(0, b"\x01\x02\x03\x04"), BODY),
    ),
    (
        "an agreed key, one pass",
        f"dd {HEAD} 01 02 01 01 8180 {'5a' * 128} 09 {BODY.hex()}",
        GeneralCiphering(HEADER, AgreedKey(b"\x01", b"\x5a" * 128), BODY),
    ),
    (
        "an agreed key, static, and a date-time",
        f"dd 00 00 00 0c 07ea03010706000000016800 00 01 02 01 02 00 09 {BODY.hex()}",
        GeneralCiphering(ProtectionHeader(b"", b"", b"", STAMP), AgreedKey(b"\x02", b""), BODY),
    ),
    (
        "signed",
        f"df {HEAD} 0d c0010000080000010000ff0200 40 {'77' * 64}",
        GeneralSigning(HEADER, bytes.fromhex("c0010000080000010000ff0200"), b"\x77" * 64),
    ),
]


@pytest.mark.parametrize(("octets", "message"), [pytest.param(o, m, id=n) for n, o, m in CASES])
def test_a_ciphered_message_reads_and_writes(octets: str, message: Apdu) -> None:
    assert apdu.decode(bytes.fromhex(octets)) == message
    assert apdu.encode(message).hex() == octets.replace(" ", "")


def test_the_header_alone_is_what_stands_before_the_content() -> None:
    octets = bytes.fromhex(f"df {HEAD} 02 c001 01 77")
    message = apdu.decode(octets)
    assert isinstance(message, GeneralSigning)
    assert message.header.encode() == octets[1:-5]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param("c8 04 30012345", "cut", id="no room for the counter"),
        pytest.param("dc 07 4d4d4d0000bc61 05 3001234567", "bad_title", id="a title of seven"),
        pytest.param("dd 00 09 4d4d4d0000bc614e00 00 00 00 00 05 3001234567", "bad_title", id="a title of nine"),
        pytest.param("dd 00 00 00 01 00 00 00 05 3001234567", "bad_date_time", id="a date-time of one octet"),
        pytest.param("dd 00 00 00 00 00 02 05 3001234567", "bad_flag", id="a flag of two"),
        pytest.param("dd 00 00 00 00 00 01 03 00 05 3001234567", "bad_key_info", id="a fourth kind of key"),
        pytest.param("dd 00 00 00 00 00 01 00 02 05 3001234567", "bad_key_info", id="a third identified key"),
        pytest.param("c8 05 3001234567 00", "trailing", id="octets after the body"),
    ],
)
def test_a_malformed_ciphered_message_is_refused(octets: str, code: str) -> None:
    with pytest.raises(PeerError) as refused:
        apdu.decode(bytes.fromhex(octets))
    assert refused.value.code == code


MISUSE: list[Apdu] = [
    ServiceCiphering(ApduTag.GET_REQUEST, BODY),
    ServiceCiphering(ApduTag.GLO_GET_REQUEST, b"1234"),
    GeneralDedCiphering(b"short", BODY),
    GeneralCiphering(HEADER, WrappedKey(256, b""), BODY),
]


@pytest.mark.parametrize("message", MISUSE, ids=range(len(MISUSE)))
def test_what_cannot_be_said_is_our_misuse(message: Apdu) -> None:
    with pytest.raises(UsageError):
        apdu.encode(message)


@pytest.mark.attack("A34")
def test_nothing_of_a_body_is_shown() -> None:
    key_infos: list[KeyInfo] = [WrappedKey(0, b"body"), AgreedKey(b"\x01", b"body")]
    shown = "".join(repr(GeneralCiphering(HEADER, k, b"body")) for k in key_infos)
    shown += repr(GeneralSigning(HEADER, b"body", b"")) + repr(GeneralDedCiphering(b"", b"body"))
    assert "body" not in shown.replace("sealed_body", "")
