"""The root key in a token: it does not come out, it opens only its own, and a vault moves to it and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.integration.keys.conftest import AT, shipment
from tests.integration.keys.desk import SAM, printed, register_people, ship
from tests.integration.keys.softhsm import PIN, make_token, softhsm_module

from openami.app.devices.shipment import take_shipment
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.keys.key_desk import KeyDesk
from openami.app.keys.root_key import root_keys
from openami.app.settings import Home, Settings
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.root_pkcs11 import Pkcs11RootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import RootKeyError, VaultUnavailableError
from openami.security.keys.roots import RootKeys
from openami.security.keys.secret import Secret

KEY, NONCE = Secret(bytes(range(32))), bytes(12)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pkcs11RootKey]:
    """A token with a root key."""
    before = os.environ.get("SOFTHSM2_CONF")
    made = make_token(tmp_path_factory.mktemp("hsm"))
    made.ensure()
    yield made
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def test_a_key_comes_back_from_its_own_context_alone(token: Pkcs11RootKey) -> None:
    wrapped = token.wrap(KEY, context=b"here", nonce=NONCE)
    assert (wrapped[0], len(wrapped)) == (2, 1 + 12 + 32 + 16)
    assert token.unwrap(wrapped, context=b"here") == KEY
    with pytest.raises(KeyBindingError):
        token.unwrap(wrapped, context=b"there")


@pytest.mark.parametrize("place", [0, 1, 13, 60])
def test_an_altered_octet_anywhere_does_not_open(token: Pkcs11RootKey, place: int) -> None:
    wrapped = bytearray(token.wrap(KEY, context=b"here", nonce=NONCE))
    wrapped[place] ^= 1
    with pytest.raises(KeyBindingError):
        token.unwrap(bytes(wrapped), context=b"here")


@pytest.mark.parametrize("length", [0, 1, 28])
def test_octets_that_are_too_few_do_not_open(token: Pkcs11RootKey, length: int) -> None:
    with pytest.raises(KeyBindingError):
        token.unwrap(bytes([2] * length), context=b"")


def test_nobody_reads_the_key_out_of_its_token_and_ensuring_again_makes_no_second(token: Pkcs11RootKey) -> None:
    import pkcs11

    token.ensure()
    session = pkcs11.lib(str(token.module)).get_token(token_label=token.token).open(user_pin=PIN)
    with session:
        (found,) = session.get_objects({pkcs11.Attribute.LABEL: token.label})
        assert (found[pkcs11.Attribute.NEVER_EXTRACTABLE], found[pkcs11.Attribute.LOCAL]) == (True, True)
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            found[pkcs11.Attribute.VALUE]


def test_a_key_that_its_token_would_give_away_is_refused(token: Pkcs11RootKey) -> None:
    import pkcs11

    with pkcs11.lib(str(token.module)).get_token(token_label=token.token).open(rw=True, user_pin=PIN) as session:
        session.generate_key(
            pkcs11.KeyType.AES,
            256,
            label="open",
            store=True,
            template={pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True},
        )
    with pytest.raises(RootKeyError, match="can be read out"):
        replace(token, label="open").wrap(KEY, context=b"", nonce=NONCE)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"token": "another"}, "NoSuchToken"),
        ({"label": "another"}, "0 keys of label another"),
        ({"module": Path("/nowhere/lib.so")}, "lib.so"),
        ({"pin_file": Path("/nowhere/pin")}, "cannot be read"),
    ],
)
def test_a_token_that_cannot_be_asked_is_a_declared_error(
    token: Pkcs11RootKey, changes: dict[str, object], why: str
) -> None:
    with pytest.raises(RootKeyError, match=why) as caught:
        replace(token, **changes).wrap(KEY, context=b"", nonce=NONCE)  # type: ignore[arg-type]
    # A token that is away may be back; one that is there and holds no such key is another's.
    assert isinstance(caught.value, VaultUnavailableError) == ("module" in changes or "token" in changes)


@pytest.mark.parametrize(
    ("pin", "mode", "why"),
    [("wrong pin", 0o600, "PinIncorrect"), ("", 0o600, "0 octets"), (PIN, 0o640, "chmod 0400"), ("x", 0o604, "chmod")],
)
def test_a_pin_that_is_wrong_or_open_to_others_is_refused_and_not_shown(
    token: Pkcs11RootKey, tmp_path: Path, pin: str, mode: int, why: str
) -> None:
    file = tmp_path / "pin"
    file.write_text(pin)
    file.chmod(mode)
    with pytest.raises(RootKeyError, match=why) as caught:
        replace(token, pin_file=file).wrap(KEY, context=b"", nonce=NONCE)
    with pytest.raises(RootKeyError, match=f"{why}|not asked again"):
        replace(token, pin_file=file).wrap(KEY, context=b"", nonce=NONCE)
    assert not isinstance(caught.value, VaultUnavailableError)
    assert not pin or pin not in str(caught.value).removeprefix(str(file))
    assert PIN not in repr(token)


def test_many_threads_may_ask_one_token(token: Pkcs11RootKey) -> None:
    wrapped = token.wrap(KEY, context=b"here", nonce=NONCE)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: token.unwrap(wrapped, context=b"here"), range(40))) == {KEY}


@pytest.mark.engines
async def test_a_vault_lives_under_a_token_and_its_installation_key_changes_there(
    engine: AsyncEngine, token: Pkcs11RootKey
) -> None:
    vault, sent = PostgresVault(engine, RootKeys((token,))), shipment(masters=True)
    report = await vault.import_shipment(sent, at=AT)
    await vault.new_installation_key(at=AT)
    assert (await vault.rewrap_some(at=AT)).retired == (1,)
    assert not (await vault.load()).spoiled
    master = await vault.master_key(report.meters[2].meter_id)
    assert master is not None
    assert master.key == sent.meters[2].master_key


@pytest.mark.engines
async def test_a_vault_moves_from_a_file_to_a_token_and_back_and_the_old_root_key_opens_nothing(
    engine: AsyncEngine, root: FileRootKey, token: Pkcs11RootKey
) -> None:
    sent = shipment()
    await PostgresVault(engine, RootKeys((root,))).import_shipment(sent, at=AT)
    both = PostgresVault(engine, RootKeys((token, root)))
    assert not (await both.load()).spoiled
    assert await both.move_root(token) == 2
    assert not (await PostgresVault(engine, RootKeys((token,))).load()).spoiled
    with pytest.raises(RootKeyError, match="in a PKCS#11 token, and this process was not told where"):
        await PostgresVault(engine, RootKeys((root,))).load()
    assert (await both.import_shipment(sent, at=AT)).already_taken
    assert await both.move_root(root) == 2
    assert not (await PostgresVault(engine, RootKeys((root,))).load()).spoiled


@pytest.mark.engines
def test_a_person_moves_the_root_key_into_the_token_and_the_tables_say_where_it_is(
    postgres: PostgresEngine, short_tmp: Path, token: Pkcs11RootKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp)).save()
    settings = Settings.load(short_tmp)
    asyncio.run(register_people(settings))
    asyncio.run(take_shipment(settings, ship(settings, sealed=False), plain=True))
    monkeypatch.setenv("OPENAMI_PKCS11_MODULE", str(token.module))
    monkeypatch.setenv("OPENAMI_PKCS11_TOKEN", token.token)
    monkeypatch.setenv("OPENAMI_PKCS11_PIN_FILE", str(token.pin_file))
    place, keys = asyncio.run(KeyDesk(settings).move_root(SAM, to_token=True))
    assert (place, keys) == (f"key openami-root of PKCS#11 token {token.token}", 2)
    (short_tmp / "keys" / "root.key").unlink()
    assert printed(settings, "status")["root_key"] == place
    assert printed(settings, "rewrap", "--as", SAM.login, typed=SAM.password + "\n")["retired"] == [1]
    assert asyncio.run(KeyDesk(settings).move_root(SAM, to_token=False))[0].endswith("keys/root.key")


def test_the_environment_names_the_token_and_the_file_is_not_made_then(token: Pkcs11RootKey, tmp_path: Path) -> None:
    home = Home(tmp_path)
    said = {
        "OPENAMI_PKCS11_MODULE": str(softhsm_module()),
        "OPENAMI_PKCS11_TOKEN": token.token,
        "OPENAMI_PKCS11_PIN_FILE": str(token.pin_file),
    }
    assert str(root_keys(home, said)) == f"key openami-root of PKCS#11 token {token.token}"
    assert not (tmp_path / "keys" / "root.key").exists()
    assert str(root_keys(home, {})).endswith("keys/root.key")
    assert [r.layout for r in root_keys(home, said).every] == [2, 1]
    with pytest.raises(RootKeyError, match="OPENAMI_PKCS11_MODULE and OPENAMI_PKCS11_TOKEN too"):
        root_keys(home, {"OPENAMI_PKCS11_PIN_FILE": "x"})
