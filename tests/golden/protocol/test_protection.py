"""An association's protection gives and takes the messages that others published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openami.protocol.apdu.acse import Mechanism, ReleaseRequest
from openami.protocol.apdu.codec import decode
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.form import Form
from openami.protocol.association.keys import Keys
from openami.protocol.association.protection import Protection
from openami.protocol.errors import PeerError


@pytest.fixture
def answers(shared_data: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    return {a["name"]: a for a in document["known_answers"]}


def protection(answer: dict[str, Any], *, title: bytes, counter: int = 0, control: int = 0x30) -> Protection:
    keys = Keys(bytes.fromhex(answer["keys"]["encryption"]), bytes.fromhex(answer["keys"]["authentication"]))
    return Protection(own_title=title, keys=keys, control=control, send=CountUp(counter), received=RisingCounter())


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        # The Green Book prints the whole glo-get-request of the authenticated and encrypted case.
        ("gb_get_request_auth_enc", "c81e3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b"),
        ("gb_get_request_auth_only", "c81e1001234567c0010000080000010000ff020006725d910f9221d263877516"),
    ],
)
def test_the_worked_get_request_is_ours(answers: dict[str, dict[str, Any]], name: str, whole: str) -> None:
    a = answers[name]
    title, plain, control = bytes.fromhex(a["system_title"]), bytes.fromhex(a["plain"]), a["security_control"]
    ours = protection(a, title=title, counter=a["invocation_counter"], control=control)
    assert ours.seal(plain, Form.GLO, peer_title=None).hex() == whole
    theirs = protection(a, title=b"OAMOTHER", control=control)
    opened = theirs.open(bytes.fromhex(whole), peer_title=title)
    assert (opened.apdu, opened.form, opened.control) == (plain, Form.GLO, control)
    with pytest.raises(PeerError) as refused:
        theirs.open(bytes.fromhex(whole), peer_title=title)
    assert refused.value.code == "replay"


def test_the_ciphered_release_opens(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["iec_e7_rlrq"]
    message = decode(bytes.fromhex(a["apdu"]))
    assert isinstance(message, ReleaseRequest)
    assert message.user_information is not None
    opened = protection(a, title=b"OAMOTHER").open(
        message.user_information, peer_title=bytes.fromhex(a["system_title"])
    )
    assert opened.apdu.hex() == a["plain"]


def test_both_ends_prove_themselves_as_published(answers: dict[str, dict[str, Any]]) -> None:
    a = answers["gb_hls5_gmac"]
    client, server = bytes.fromhex(a["client_title"]), bytes.fromhex(a["server_title"])
    to_server, to_client = bytes.fromhex(a["ctos"]), bytes.fromhex(a["stoc"])
    proofs = {"client": bytes.fromhex(a["f_stoc"]), "server": bytes.fromhex(a["f_ctos"])}
    one = protection(a, title=client, counter=int.from_bytes(proofs["client"][1:5]))
    two = protection(a, title=server, counter=int.from_bytes(proofs["server"][1:5]))
    gmac = Mechanism.HIGH_GMAC
    assert one.prove(gmac, received=to_client, sent=to_server, peer_title=server) == proofs["client"]
    assert two.verify(gmac, proofs["client"], received=to_server, sent=to_client, peer_title=client)
    assert two.prove(gmac, received=to_server, sent=to_client, peer_title=client) == proofs["server"]
    assert one.verify(gmac, proofs["server"], received=to_client, sent=to_server, peer_title=server)
    assert not one.verify(gmac, proofs["client"], received=to_client, sent=to_server, peer_title=server)
