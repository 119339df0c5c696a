"""Any octets give a message or one declared refusal: no entity is opened, no file grows without end, nothing hangs."""

from __future__ import annotations

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.exchange.test_cim import envelope, linkage, thing
from tests.unit.exchange.test_cim_asking import NOVEMBER, asking

from openami.mdm.exchange import flat
from openami.mdm.exchange.cim import parse_asking, parse_cim, tree
from openami.mdm.exchange.cim.tree import MAX_OCTETS
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import parse_flat
from openami.mdm.exchange.message import MAX_MESSAGE_OCTETS

HEAD = b"openami exchange 1,CIS,M-1,2026-11-30T04:00:00Z\nrecord,id,service_point,account,at\n"
LINK = linkage(thing("UsagePoint", "SP-1"), thing("Meter", "SN-1"))


@pytest.mark.attack("A21")
@pytest.mark.timeout(20)
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_a_message_or_a_refusal(octets: bytes) -> None:
    for text in (octets, HEAD + octets, HEAD + b"start,1," + octets + b"\nend,1\n"):
        with contextlib.suppress(MessageRefusedError):
            parse_flat(text)
    for text in (octets, envelope(LINK.replace("SP-1", octets.decode("latin-1").replace("<", "")))):
        with contextlib.suppress(MessageRefusedError):
            parse_cim(text, zone="UTC")


@pytest.mark.attack("A21")
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_message_with_any_part_of_it_changed_is_read_or_refused(data: st.DataObject) -> None:
    octets = bytearray(envelope(LINK))
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageRefusedError):
        parse_cim(bytes(octets), zone="UTC")
    asked = bytearray(asking(NOVEMBER))
    asked[data.draw(st.integers(0, len(asked) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageRefusedError):
        parse_asking(bytes(asked), zone=ZoneInfo("UTC"))


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)
) + b"]>"  # fmt: skip


@pytest.mark.attack("A21")
@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "declaration",
    [
        BOMB,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
    ],
    ids=["billion laughs", "local file", "remote", "parameter"],
)
def test_a_message_with_a_document_type_is_refused_before_anything_is_opened(declaration: bytes) -> None:
    body = envelope(LINK).partition(b"?>")[2]
    for encoding in ("utf-8", "utf-16"):
        text = (declaration + body).decode().encode(encoding)
        with pytest.raises(MessageRefusedError, match=r"document type|well-formed"):
            parse_cim(text, zone="UTC")


@pytest.mark.attack("A21")
@pytest.mark.timeout(20)
def test_a_message_that_is_deep_wide_or_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_ELEMENTS", 1000)
    deep = b"<a>" * 200 + b"</a>" * 200
    with pytest.raises(MessageRefusedError, match="deeper"):
        parse_cim(deep, zone="UTC")
    with pytest.raises(MessageRefusedError, match=r"well-formed|deeper"):
        parse_cim(b"<a>" * 100_000, zone="UTC")
    with pytest.raises(MessageRefusedError, match="elements"):
        parse_cim(b"<a>" + b"<b/>" * 1001 + b"</a>", zone="UTC")
    with pytest.raises(MessageRefusedError, match="octets"):
        parse_cim(b" " * (MAX_OCTETS + 1), zone="UTC")


@pytest.mark.attack("A21")
@pytest.mark.timeout(20)
def test_a_flat_file_over_its_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "MAX_RECORDS", 1000)
    with pytest.raises(MessageRefusedError, match="octets"):
        parse_flat(b" " * (MAX_MESSAGE_OCTETS + 1))
    rows = b"start,1,S,A,2026-01-01T00:00Z\n" * 1001
    with pytest.raises(MessageRefusedError, match="records"):
        parse_flat(HEAD + rows + b"end,1\n")
    with pytest.raises(MessageRefusedError, match="cell of over"):
        parse_flat(HEAD + b"start," + b"9" * 5000 + b",S,A,T\nend,1\n")


@pytest.mark.attack("A21")
@pytest.mark.parametrize("number", ["9" * 60, "1e5", "-1", "٣", "0x10", " 5 "])
def test_a_number_that_is_not_plain_digits_in_its_range_is_rejected(number: str) -> None:
    text = HEAD.replace(b"account", b"bill_group") + f"bill_group,1,SP,{number},2026-01-01T00:00:00Z\nend,1\n".encode()
    (record,) = parse_flat(text).records
    assert hasattr(record, "reason") is (number.strip() != "5")
