"""What people do with keys at the command line: signed in, in the audit log, whole or not at all."""

from __future__ import annotations

import asyncio
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.integration.keys.conftest import superuser
from tests.integration.keys.desk import (
    FACTORY,
    MADE,
    SAM,
    VERA,
    openami_keys,
    printed,
    register,
    register_people,
    ship,
)

from openami.app.devices.shipment import take_shipment
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.keys.key_desk import KeyDesk
from openami.app.people.desk import SignInRefusedError
from openami.app.settings import Home, Settings
from openami.kernel.errors import MisuseError
from openami.security.access.gate import AccessDeniedError
from openami.security.audit.entry import AuditEntry
from openami.security.keys.shipment import ShipmentError
from openami.security.suites.curve import public_key_of
from openami.sim.factory import MAKER, make_meters, shipment_document

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a security administrator and a viewer."""
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp)).save()
    made = Settings.load(short_tmp)
    asyncio.run(register_people(made))
    return made


def test_a_sealed_shipment_of_a_registered_maker_is_taken_and_any_other_is_not(settings: Settings) -> None:
    sealed, plain = ship(settings), ship(settings, name="S-2", sealed=False)
    for place, why in ((sealed, "no key of maker OAM is registered"), (plain, "is not sealed")):
        with pytest.raises(ShipmentError, match=why):
            asyncio.run(take_shipment(settings, place))
    register(settings)
    report = asyncio.run(take_shipment(settings, sealed))
    assert (len(report.meters), report.already_taken) == (3, False)
    assert asyncio.run(take_shipment(settings, sealed)).already_taken
    assert len(asyncio.run(take_shipment(settings, plain, plain=True)).meters) == 3
    assert printed(settings, "status")["unsigned_shipments"] == 1
    assert asyncio.run(KeyDesk(settings).withdraw_maker(SAM, MAKER)) == 1
    with pytest.raises(ShipmentError, match="no key of maker"):
        asyncio.run(take_shipment(settings, ship(settings, name="S-3")))
    with pytest.raises(ShipmentError, match="was withdrawn"):
        register(settings)


def test_a_key_of_one_maker_is_not_registered_for_another(settings: Settings) -> None:
    register(settings)
    register(settings)
    with pytest.raises(ShipmentError, match="registered for maker OAM"):
        asyncio.run(KeyDesk(settings).register_maker(SAM, "XYZ", public_key_of(FACTORY.signing_key)))
    with pytest.raises(ShipmentError, match="is none"):
        asyncio.run(KeyDesk(settings).register_maker(SAM, "XYZ", b"\x01" * 64))


@pytest.mark.attack("A10")
def test_weak_and_shared_keys_and_serials_are_refused_whole_with_a_report_of_serials(settings: Settings) -> None:
    taken = json.loads(shipment_document(make_meters(2, secret=os.urandom), shipment_id="S-1", made_at=MADE))
    assert len(asyncio.run(take_shipment(settings, written(settings, taken), plain=True)).meters) == 2
    other = json.loads(shipment_document(make_meters(4, secret=os.urandom), shipment_id="S-2", made_at=MADE))
    assert refused(settings, other) == [
        ("duplicate_serial", "OAM10000000", "serial OAM10000000 is another meter's"),
        ("duplicate_serial", "OAM10000001", "serial OAM10000001 is another meter's"),
    ]
    for k, meter in enumerate(other["meters"]):
        meter["serial"] = f"B{k}"
    other["meters"][0]["authentication_key"] = "000102030405060708090a0b0c0d0e0f"
    other["meters"][1]["encryption_key"] = "00" * 16
    other["meters"][3]["encryption_key"] = other["meters"][2]["master_key"]
    assert refused(settings, other) == [
        ("weak_key", "B0", "authentication_key: a published default"),
        ("weak_key", "B1", "encryption_key: all octets are equal"),
        ("duplicate_key", "B3", "encryption_key equals master_key at meters[2], serial B2"),
    ]
    for meter in other["meters"]:
        meter.update({f"{use}_key": os.urandom(16).hex() for use in ("encryption", "authentication", "master")})
    other["meters"][2]["encryption_key"] = taken["meters"][1]["master_key"]
    why = "a key of this line is another meter's: master key 1 of serial OAM10000001"
    assert refused(settings, other) == [("duplicate_key", "B2", why)]
    assert printed(settings, "status")["meters"] == 2


def written(settings: Settings, document: Any) -> Path:
    place = settings.home.path / "plain.json"
    place.touch(mode=0o600)
    place.write_text(json.dumps(document))
    return place


def refused(settings: Settings, document: Any) -> list[tuple[str, str, str]]:
    """What the command line prints of a shipment that it does not take; no key of it."""
    result = openami_keys(settings, "import", str(written(settings, document)), "--plain", "--json")
    assert isinstance(result.exception, ShipmentError)
    for meter in document["meters"]:
        assert not any(meter[f"{use}_key"] in result.output for use in ("encryption", "authentication", "master"))
    findings = json.loads(result.stdout.splitlines()[-1])["findings"]
    return [(f["rule"], f["serial"], f["why"]) for f in findings]


def test_what_leaked_is_said_by_a_person_and_shown_until_it_is_mended(
    settings: Settings, postgres: PostgresEngine
) -> None:
    register(settings)
    report = asyncio.run(take_shipment(settings, ship(settings)))
    titles = settings.home.path / "leaked.txt"
    titles.write_text("".join(f"{m.system_title}\n" for m in report.meters[:2]))
    words = ("compromise", str(titles), "--reason", "a clerk's disk was sold", "--as", SAM.login)
    wrong = openami_keys(settings, *words, typed="not the password\n")
    assert isinstance(wrong.exception, SignInRefusedError)
    denied = openami_keys(
        settings, "compromise", str(titles), "--reason", "x", "--as", VERA.login, typed=VERA.password + "\n"
    )
    assert isinstance(denied.exception, AccessDeniedError)
    assert printed(settings, "residual")["residual"] == []
    said = printed(settings, *words, typed=SAM.password + "\n")
    assert said["meters"] == 2
    shown = printed(settings, "residual")
    assert [(p["meters"], p["renewed"]) for p in shown["incidents"]] == [(2, 0)]
    assert {r["system_title"] for r in shown["residual"]} == set(titles.read_text().split())
    assert {r["next"] for r in shown["residual"]} == {"waits for its turn in the rotation"}
    assert printed(settings, "status")["levels"] == {"compromised": 2, "factory": 1}
    worst = openami_keys(settings, "list", "--level", "compromised", "--json").stdout.splitlines()
    assert {json.loads(line)["system_title"] for line in worst} == set(titles.read_text().split())
    assert "a clerk's disk" in openami_keys(settings, "residual").stdout
    with superuser(postgres) as connection:
        bodies = [bytes(b) for (b,) in connection.execute("select body from audit.entry order by at").fetchall()]
    entries = [e for e in map(AuditEntry.from_canonical, bodies) if e.query == "keys.compromise"]
    assert [(e.allowed, "a clerk" in e.note) for e in entries] == [(False, False), (True, True)]


def test_a_person_changes_the_installation_key_and_the_tables_say_so(settings: Settings) -> None:
    register(settings)
    asyncio.run(take_shipment(settings, ship(settings)))
    assert printed(settings, "status")["installation_key"] == 1
    done = printed(settings, "rewrap", "--as", SAM.login, typed=SAM.password + "\n")
    assert done == {"installation_key": 2, "keys": 9, "retired": [1], "spoiled": []}
    again = printed(settings, "rewrap", "--go-on", "--as", SAM.login, typed=SAM.password + "\n")
    assert (again["installation_key"], again["keys"]) == (2, 0)
    table = openami_keys(settings, "status").stdout
    assert "version 2" in table
    assert "root.key" in table
    assert "3: 3 factory" in table
    assert "1 " in openami_keys(settings, "list").stdout


def test_a_person_makes_a_group_puts_meters_into_it_and_renews_its_key(settings: Settings) -> None:
    register(settings)
    report = asyncio.run(take_shipment(settings, ship(settings)))
    titles = settings.home.path / "north.txt"
    titles.write_text("\n".join(str(m.system_title) for m in report.meters))
    by_sam, password = ("--as", SAM.login), SAM.password + "\n"
    printed(settings, "group", "make", "north", "--collector", "7", "--collector", "8", *by_sam, typed=password)
    assert printed(settings, "group", "join", "north", str(titles), *by_sam, typed=password)["meters"] == 3
    renewed = printed(settings, "group", "renew", "--collector", "7", *by_sam, typed=password)
    assert renewed == {"renewed": ["north"]}
    shown = printed(settings, "group", "list")
    assert [(g["name"], g["collectors"], g["generation"], g["behind"]) for g in shown["groups"]] == [
        ("north", [7, 8], 2, 3)
    ]
    assert set(shown["behind"]) == set(titles.read_text().split())
    assert "north" in openami_keys(settings, "group", "list").stdout
    assert isinstance(openami_keys(settings, "group", "renew", *by_sam).exception, MisuseError)


def test_an_import_in_a_persons_name_is_in_the_audit_log(settings: Settings, postgres: PostgresEngine) -> None:
    place = ship(settings, sealed=False)
    words = ("import", str(place), "--plain", "--as", SAM.login)
    assert printed(settings, *words, typed=SAM.password + "\n")["already_taken"] is False
    with superuser(postgres) as connection:
        bodies = [bytes(b) for (b,) in connection.execute("select body from audit.entry").fetchall()]
    (entry,) = [e for e in map(AuditEntry.from_canonical, bodies) if e.query == "keys.import"]
    assert (entry.allowed, sha256(place.read_bytes()).hexdigest() in entry.note) == (True, True)


def test_moving_the_root_key_without_a_token_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(MisuseError, match="OPENAMI_PKCS11_MODULE"):
        asyncio.run(KeyDesk(settings).move_root(SAM, to_token=True))


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "has 0 meters"), ("4f41\n", "8 octets"), ("\xe4\n", "no list"), (None, "cannot be read")],
)
def test_a_list_that_is_none_is_refused_before_anybody_signs_in(
    settings: Settings, content: str | None, why: str
) -> None:
    place = settings.home.path / "titles"
    if content is not None:
        place.write_text(content)
    result = openami_keys(settings, "compromise", str(place), "--reason", "x", "--as", SAM.login)
    assert isinstance(result.exception, MisuseError)
    assert why in str(result.exception)


def test_an_unknown_level_is_misuse(settings: Settings) -> None:
    assert isinstance(openami_keys(settings, "list", "--level", "best").exception, MisuseError)
