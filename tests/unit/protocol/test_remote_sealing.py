"""The same operations run where the keys are somebody else's and every step is awaited."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import pytest
from tests.pair.protocol.parties import CLIENT_TITLE, ENERGY, PROFILE, ROWS, SCRATCH, SERVER_TITLE, Case, Pair

from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.drive import EnvelopeSealing, drive, drive_async
from openami.protocol.association.form import Form
from openami.protocol.association.steps import Open, Prove, Seal
from openami.protocol.axdr import octet_string, u32
from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.gcm import gmac_answer, open_sealed, seal, verify_gmac_answer


class KeyPair(TypedDict):
    key: bytes
    auth_key: bytes


class Vault:
    """A process that seals bodies for one meter: keys and counters stay in it."""

    def __init__(self, pair: Pair) -> None:
        self._keys: KeyPair = {"key": pair.client_keys.encryption, "auth_key": pair.client_keys.authentication}
        self._send, self._received = CountUp(5), RisingCounter()
        self.sealed: list[bytes] = []

    async def seal(self, plaintext: bytes, *, control: int) -> bytes:
        self.sealed.append(plaintext)
        return seal(CLIENT_TITLE, self._send.take(), plaintext, control=control, **self._keys)

    async def open(self, sealed: bytes) -> bytes:
        plain = open_sealed(SERVER_TITLE, sealed, **self._keys)
        self._received.check(int.from_bytes(sealed[1:5]))
        self._received.accept(int.from_bytes(sealed[1:5]))
        return plain

    async def prove(self, challenge: bytes) -> bytes:
        return gmac_answer(CLIENT_TITLE, self._send.take(), challenge, **self._keys)

    async def verify(self, challenge: bytes, answer: bytes) -> bool:
        return verify_gmac_answer(SERVER_TITLE, answer, challenge, **self._keys)


@pytest.mark.parametrize("form", [Form.GLO, Form.GENERAL_GLO])
async def test_a_session_runs_without_a_key_at_hand(form: Form) -> None:
    pair = Pair(Case(form=form))
    vault = Vault(pair)
    sealing = EnvelopeSealing(vault, own_title=CLIENT_TITLE)

    async def exchange(octets: bytes) -> bytes:
        return pair.exchange(octets)

    await drive_async(pair.association.associate(challenge=pair.dice(16)), sealing=sealing, exchange=exchange)
    assert await drive_async(pair.association.read(PROFILE), sealing=sealing, exchange=exchange) == ROWS
    await drive_async(pair.association.write(SCRATCH, u32(3)), sealing=sealing, exchange=exchange)
    await drive_async(pair.association.release(), sealing=sealing, exchange=exchange)
    assert pair.device.values[SCRATCH] == u32(3)
    # Who seals sees the plaintext: initiate, proof, read, its blocks, write, release.
    assert [p[0] for p in vault.sealed[:3]] == [0x01, 0xC3, 0xC0]


async def test_keys_at_hand_work_awaited_too() -> None:
    pair = Pair()

    async def exchange(octets: bytes) -> bytes:
        return pair.exchange(octets)

    opening = pair.association.associate(challenge=pair.dice(16))
    await drive_async(opening, sealing=pair.protection, exchange=exchange)
    value = await drive_async(pair.association.read(ENERGY), sealing=pair.protection, exchange=exchange)
    assert value == u32(123_456)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\xc4\x01\xc1\x00\x11\x05", "plaintext"),
        (b"\xcc\x11\x10" + bytes(16), "downgrade"),
        (b"\xcc\x11\x31" + bytes(16), "unknown_suite"),
        (b"\xdb\x08OAMOTHER\x11\x30" + bytes(16), "wrong_title"),
        (b"\xd4\x11\x30" + bytes(16), "unknown_key"),
    ],
)
async def test_the_envelope_is_judged_before_the_vault_is_asked(octets: bytes, code: str) -> None:
    pair = Pair()
    sealing = EnvelopeSealing(Vault(pair), own_title=CLIENT_TITLE)
    with pytest.raises(PeerError) as refused:
        await sealing.open(Open(octets, 0x30, SERVER_TITLE))
    assert refused.value.code == code


async def test_what_bodies_cannot_do_is_our_misuse() -> None:
    pair = Pair()
    sealing = EnvelopeSealing(Vault(pair), own_title=CLIENT_TITLE)
    with pytest.raises(UsageError):
        await sealing.seal(Seal(b"\xc0", Form.DED, 0x30, SERVER_TITLE))
    with pytest.raises(UsageError):
        await sealing.prove(Prove(Mechanism.HIGH_ECDSA, bytes(16), bytes(16), SERVER_TITLE))
    with pytest.raises(UsageError):
        drive(pair.association.associate(challenge=bytes(16)), protection=None, exchange=pair.exchange)


@pytest.mark.parametrize(
    "changes",
    [
        {"form": Form.PLAIN},
        {"control": 0},
        {"own_title": None},
        {"mechanism": Mechanism.LOW, "secret": None},
        {"form": Form.DED},
        {"dedicated_key": bytes(16)},
        {"max_pdu_octets": 63},
        {"max_pdu_octets": 65_536},
    ],
    ids=str,
)
def test_settings_that_contradict_themselves_are_refused(changes: dict[str, object]) -> None:
    settings = Pair().settings
    with pytest.raises(UsageError):
        replace(settings, **changes)  # type: ignore[arg-type]  # fields by name


def test_requests_in_the_wrong_state_are_our_misuse() -> None:
    pair = Pair()
    for steps in (pair.association.read(ENERGY), pair.association.release()):
        with pytest.raises(UsageError):
            pair.run(steps)
    pair.associate()
    with pytest.raises(UsageError):
        pair.associate()


def test_a_counter_rises_from_nothing_and_ends() -> None:
    counter = RisingCounter()
    counter.check(0)
    counter.accept(0)
    with pytest.raises(PeerError):
        counter.check(0)
    counter.check(1)
    last = CountUp(0xFFFF_FFFF)
    assert last.take() == 0xFFFF_FFFF
    with pytest.raises(UsageError):
        last.take()


def test_keys_may_change_between_two_messages() -> None:
    pair = Pair()
    pair.associate()
    fresh = replace(pair.client_keys, encryption=bytes(range(16)))
    pair.server_keys = fresh
    pair.protection.keys = fresh
    pair.run(pair.association.write(SCRATCH, octet_string(b"under the new key")))
    assert pair.device.values[SCRATCH] == octet_string(b"under the new key")
