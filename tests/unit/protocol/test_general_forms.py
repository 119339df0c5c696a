"""General ciphering and signing: which key opens, who may speak, and that the two readings are never mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.pair.protocol.parties import CLIENT_TITLE, SERVER_TITLE, keys_for

from openami.protocol import apdu as messages
from openami.protocol.apdu.protection import (
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    KeyInfo,
    ProtectionHeader,
    WrappedKey,
)
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.form import Form
from openami.protocol.association.general import GeneralStyle, KeyChoice, seal_general, sign_general
from openami.protocol.association.protection import Protection
from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.gcm import seal
from openami.security.suites.wrap import wrap_key

PLAIN = bytes.fromhex("c001c100080000010000ff0200")
MASTER = bytes(range(16))
FRESH = bytes(range(16, 32))
HEADER = ProtectionHeader(b"\x01\x02\x03", CLIENT_TITLE, SERVER_TITLE)


def end(
    *,
    is_client: bool,
    suite: int = 1,
    style: GeneralStyle | None = None,
    speaks: bool = True,
    signed: bool = False,
) -> Protection:
    number = iter(range(1, 100))
    return Protection(
        own_title=CLIENT_TITLE if is_client else SERVER_TITLE,
        keys=replace(keys_for(suite, is_client=is_client), master=MASTER),
        control=0x30 | suite,
        send=CountUp(1),
        received=RisingCounter(),
        style=style,
        ephemeral=lambda: bytes((0x21,)) * (32 if suite == 1 else 48),
        transaction=(lambda: next(number).to_bytes(8)) if speaks else None,
        signed=signed,
    )


def code_of(protection: Protection, octets: bytes, title: bytes | None = CLIENT_TITLE) -> str:
    with pytest.raises(PeerError) as refused:
        protection.open(octets, peer_title=title)
    return refused.value.code


def ciphered(info: KeyInfo | None, *, key: bytes | None = None, header: ProtectionHeader = HEADER) -> bytes:
    """A message sealed by hand, the header in the additional data."""
    keys = keys_for(1, is_client=True)
    body = seal(
        header.originator_title,
        7,
        PLAIN,
        key=key or keys.encryption,
        auth_key=keys.authentication,
        control=0x31,
        header=header.encode(),
    )
    return messages.encode(GeneralCiphering(header, info, body))


@pytest.mark.parametrize(
    ("info", "key"),
    [
        pytest.param(None, None, id="not-named"),
        pytest.param(IdentifiedKey(KeyId.GLOBAL_UNICAST), None, id="named"),
        pytest.param(WrappedKey(0, wrap_key(FRESH, wrapping_key=MASTER)), FRESH, id="wrapped"),
    ],
)
def test_a_key_that_both_ends_can_find_opens(info: KeyInfo | None, key: bytes | None) -> None:
    server = end(is_client=False)
    opened = server.open(ciphered(info, key=key), peer_title=CLIENT_TITLE)
    assert (opened.apdu, opened.form, opened.control) == (PLAIN, Form.GENERAL, 0x31)
    assert code_of(server, ciphered(info, key=key)) == "replay"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        pytest.param(IdentifiedKey(KeyId.GLOBAL_BROADCAST), "unknown_key", id="broadcast"),
        pytest.param(WrappedKey(0, bytes(24)), "bad_wrap", id="wrapped-by-nobody"),
        pytest.param(WrappedKey(0, wrap_key(bytes(32), wrapping_key=MASTER)), "key_length", id="wrapped-too-long"),
        pytest.param(AgreedKey(b"\x01", bytes(128)), "bad_signature", id="unsigned-point"),
        pytest.param(AgreedKey(b"\x01", bytes(64)), "short", id="no-signature"),
        pytest.param(AgreedKey(b"\x02", b""), "bad_tag", id="agreed-and-sealed-under-another"),
        pytest.param(AgreedKey(b"\x03", b""), "unknown_key", id="no-such-scheme"),
        pytest.param(AgreedKey(b"", b""), "unknown_key", id="no-scheme"),
    ],
)
def test_a_key_that_is_none_of_ours_is_refused(info: KeyInfo, code: str) -> None:
    server = end(is_client=False)
    assert code_of(server, ciphered(info)) == code
    assert server.open(ciphered(None), peer_title=CLIENT_TITLE).apdu == PLAIN


def test_a_wrapped_key_needs_a_master_key() -> None:
    server = end(is_client=False)
    server.keys = replace(server.keys, master=None)
    assert code_of(server, ciphered(WrappedKey(0, wrap_key(FRESH, wrapping_key=MASTER)), key=FRESH)) == "unknown_key"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(replace(HEADER, originator_title=b"OAMOTHER"), id="another-sender"),
        pytest.param(replace(HEADER, recipient_title=b"OAMOTHER"), id="another-recipient"),
    ],
)
def test_a_message_between_other_ends_is_refused(header: ProtectionHeader) -> None:
    assert code_of(end(is_client=False), ciphered(None, header=header)) == "wrong_title"


def test_a_message_to_everybody_names_no_recipient() -> None:
    octets = ciphered(None, header=replace(HEADER, recipient_title=b""))
    assert end(is_client=False).open(octets, peer_title=CLIENT_TITLE).apdu == PLAIN


STYLES = [
    GeneralStyle(tag_covers_header=True),
    GeneralStyle(tag_covers_header=False),
    GeneralStyle(signature_covers_length=True),
    GeneralStyle(key=KeyChoice.SINGLE_EPHEMERAL),
    GeneralStyle(key=KeyChoice.STATIC_UNIFIED),
]


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("form", [Form.GENERAL, Form.SIGNED])
def test_what_one_end_says_the_other_takes(form: Form, style: GeneralStyle, suite: int) -> None:
    client, server = (end(is_client=c, suite=suite, style=style) for c in (True, False))
    for one, two, own, peer in (
        (client, server, CLIENT_TITLE, SERVER_TITLE),
        (server, client, SERVER_TITLE, CLIENT_TITLE),
    ):
        opened = two.open(one.seal(PLAIN, form, peer_title=peer), peer_title=own)
        assert (opened.apdu, opened.form) == (PLAIN, form)


@pytest.mark.parametrize(
    ("form", "one", "two", "code"),
    [
        (Form.GENERAL, GeneralStyle(tag_covers_header=True), GeneralStyle(tag_covers_header=False), "bad_tag"),
        (Form.GENERAL, GeneralStyle(tag_covers_header=False), GeneralStyle(tag_covers_header=True), "bad_tag"),
        (Form.SIGNED, GeneralStyle(), GeneralStyle(signature_covers_length=True), "bad_signature"),
    ],
    ids=["header-covered", "header-not-covered", "length"],
)
def test_the_other_reading_is_never_tried(form: Form, one: GeneralStyle, two: GeneralStyle, code: str) -> None:
    octets = end(is_client=True, style=one).seal(PLAIN, form, peer_title=SERVER_TITLE)
    assert code_of(end(is_client=False, style=two), octets) == code


def altered_header(octets: bytes, change: Callable[[ProtectionHeader], ProtectionHeader]) -> bytes:
    message = messages.decode(octets)
    assert isinstance(message, GeneralCiphering | GeneralSigning)
    return messages.encode(replace(message, header=change(message.header)))


@pytest.mark.parametrize(("form", "code"), [(Form.GENERAL, "bad_tag"), (Form.SIGNED, "bad_signature")])
def test_a_header_that_was_altered_is_refused(form: Form, code: str) -> None:
    octets = end(is_client=True).seal(PLAIN, form, peer_title=SERVER_TITLE)
    for change in (
        lambda h: replace(h, transaction_id=b"other"),
        lambda h: replace(h, other_information=b"other"),
        lambda h: replace(h, recipient_title=b""),
    ):
        assert code_of(end(is_client=False), altered_header(octets, change)) == code


def test_a_signature_around_what_is_not_sealed_is_no_protection() -> None:
    keys, style = keys_for(1, is_client=True), GeneralStyle()
    signed = sign_general(PLAIN, header=HEADER, keys=keys, suite=1, style=style)
    assert code_of(end(is_client=False), messages.encode(signed)) == "plaintext"
    client = end(is_client=True)
    client.control = 0
    with pytest.raises(UsageError):
        client.seal(PLAIN, Form.SIGNED, peer_title=SERVER_TITLE)


def test_a_signature_that_was_taken_off_is_missed_where_it_was_agreed_on() -> None:
    octets = end(is_client=True).seal(PLAIN, Form.SIGNED, peer_title=SERVER_TITLE)
    signed = messages.decode(octets)
    assert isinstance(signed, GeneralSigning)
    server = end(is_client=False, signed=True)
    assert code_of(server, signed.content) == "downgrade"
    assert code_of(server, ciphered(None)) == "downgrade"
    assert code_of(server, end(is_client=True).seal(PLAIN, Form.GLO, peer_title=SERVER_TITLE)) == "downgrade"
    # The counter has not moved: what was signed still passes, and so does an initiate, which has no signed form.
    assert server.open(octets, peer_title=CLIENT_TITLE).form is Form.SIGNED
    initiate = bytes.fromhex("01000000065f1f040000101404b0")
    later = end(is_client=True)
    later.seal(PLAIN, Form.GLO, peer_title=SERVER_TITLE)
    assert (
        server.open(later.seal(initiate, Form.GLO, peer_title=SERVER_TITLE), peer_title=CLIENT_TITLE).apdu == initiate
    )


def test_an_association_that_speaks_no_general_form_refuses_them() -> None:
    for form in (Form.GENERAL, Form.SIGNED):
        octets = end(is_client=True).seal(PLAIN, form, peer_title=SERVER_TITLE)
        assert code_of(end(is_client=False, speaks=False), octets) == "unknown_form"
        with pytest.raises(UsageError):
            end(is_client=True, speaks=False).seal(PLAIN, form, peer_title=SERVER_TITLE)


@pytest.mark.parametrize("choice", [KeyChoice.SINGLE_EPHEMERAL, KeyChoice.STATIC_UNIFIED])
def test_agreement_without_its_keys_is_our_misuse(choice: KeyChoice) -> None:
    keys = keys_for(1, is_client=True)
    for lacking in (replace(keys, peer_agreement=None), replace(keys, agreement=None, signing=None)):
        with pytest.raises(UsageError):
            seal_general(PLAIN, 1, header=HEADER, keys=lacking, control=0x31, style=GeneralStyle(key=choice))
    suite_0 = keys_for(0, is_client=True)
    with pytest.raises(UsageError):
        seal_general(PLAIN, 1, header=HEADER, keys=suite_0, control=0x30, style=GeneralStyle(key=choice))
