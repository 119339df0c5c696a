"""The homes of the zones: what a kit holds, and what it must not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openami.app.devices.shipment import root_key
from openami.app.engines.address import IN_CORE, nats_engine, nats_url, service_identity
from openami.app.settings import Home, Settings, SettingsError
from openami.app.supervisor.platform import ZONE_SERVICES
from openami.app.zones import DmzPlace, ZoneError, core_settings, write_dmz_kit, write_field_kit
from openami.security.adapters.secret_file import secret_in
from openami.security.pki import PkiError, Role, ensure_identity
from openami.security.suites.ed25519 import public_key_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = DmzPlace("10.80.2.10", "10.80.2.10", 8422)


@pytest.fixture
def core(tmp_path: Path) -> Settings:
    """The home of core, with the secrets that an installation has."""
    settings = core_settings(Settings(Home(tmp_path / "core"), host="10.80.3.10", real_origin=NOW), PLACE)
    settings.save()
    root_key(settings)
    for folder, name in (("command", "signing_key"), ("keys", "audit.key"), ("keys", "login.key")):
        secret_in(settings.home.folder(folder), name)
    nats_engine(settings).prepare()
    return settings


def octets_of(folder: Path) -> bytes:
    return b"\n".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def secrets_of(core: Settings) -> dict[str, bytes]:
    """Return every secret of core's home by the name of its file, and core's passwords."""
    home = core.home.path
    files = [
        home / "pki" / "ca.key",
        *home.glob("keys/*.key"),
        *home.glob("command/*"),
        *home.glob("pki/service-2.key"),
    ]
    words = json.loads((home / "nats" / "users.json").read_text())
    return {str(f): f.read_bytes().strip() for f in files} | {
        user: word.encode() for user, word in words.items() if user.startswith("core")
    }


def test_the_kit_of_the_dmz_holds_no_secret_of_core(core: Settings, tmp_path: Path) -> None:
    write_dmz_kit(core, tmp_path / "dmz")
    service_identity(core, IN_CORE)
    kit, found = octets_of(tmp_path / "dmz"), secrets_of(core)
    assert len(found) >= 8
    assert [name for name, secret in found.items() if secret in kit or secret.hex().encode() in kit] == []


def test_the_kit_of_the_field_holds_its_collectors_certificates_and_no_password(core: Settings, tmp_path: Path) -> None:
    settings = write_field_kit(
        core, tmp_path / "field", collectors=[1, 2], listener_host="10.80.1.10", listener_port=4059
    )
    files = {str(p.relative_to(tmp_path / "field")) for p in (tmp_path / "field").rglob("*") if p.is_file()}
    pki = {f"pki/collector-{n}.{end}" for n in (1, 2) for end in ("pem", "key")}
    assert files == {"settings.json", "pki/ca.pem", *pki}
    assert (settings.gateway_address, settings.listener_host, settings.listener_port) == (
        "10.80.2.10", "10.80.1.10", 4059,
    )  # fmt: skip


def test_each_file_of_a_kit_is_closed_to_other_users(core: Settings, tmp_path: Path) -> None:
    write_dmz_kit(core, tmp_path / "dmz")
    secret = [p for p in (tmp_path / "dmz").rglob("*") if p.suffix == ".key" or p.name == "users.json"]
    assert len(secret) == 4
    assert {p.stat().st_mode & 0o077 for p in secret} == {0}


def test_core_keeps_the_passwords_alone_with_which_it_dials_the_dmz(core: Settings, tmp_path: Path) -> None:
    write_dmz_kit(core, tmp_path / "dmz")
    kept = json.loads((core.home.path / "nats" / "users.json").read_text())
    given = json.loads((tmp_path / "dmz" / "nats" / "users.json").read_text())
    assert {u for u in kept if not u.startswith("core")} == {"headend_dmz", "command_dmz"}
    assert set(given) == {"dmz_admin", "gateway", "headend_dmz", "command_dmz"}
    assert all(given[user] == kept[user] for user in ("headend_dmz", "command_dmz"))


def test_a_home_that_held_all_zones_forgets_what_only_the_dmz_needs(tmp_path: Path) -> None:
    whole = Settings(Home(tmp_path / "core"), real_origin=NOW)
    nats_engine(whole).prepare()
    core = core_settings(whole, PLACE)
    write_dmz_kit(core, tmp_path / "dmz")
    assert "dmz_admin" not in json.loads((core.home.path / "nats" / "users.json").read_text())


def test_the_dmz_takes_commands_signed_by_this_installations_command_process_alone(
    core: Settings, tmp_path: Path
) -> None:
    write_dmz_kit(core, tmp_path / "dmz")
    signing = secret_in(core.home.folder("command"), "signing_key")
    assert (tmp_path / "dmz" / "dmz" / "command_keys").read_text().split() == [public_key_of(signing).hex()]


def test_each_zone_runs_its_own_processes_and_together_they_run_all() -> None:
    apart = [name for zone in ("dmz", "core", "field") for name in ZONE_SERVICES[zone]]
    assert sorted(apart) == sorted(ZONE_SERVICES["whole"])
    assert ZONE_SERVICES["dmz"] == ("gateway",)


def test_core_dials_the_bus_of_the_dmz_over_tls_and_its_own_on_this_host(core: Settings, tmp_path: Path) -> None:
    dmz = write_dmz_kit(core, tmp_path / "dmz")
    assert nats_url(core, "headend_dmz").startswith("tls://headend_dmz:")
    assert "@10.80.2.10:8422?sslrootcert=" in nats_url(core, "headend_dmz")
    assert nats_url(core, "core_headend").startswith("nats://core_headend:")
    assert nats_url(core, "core_headend").endswith("@127.0.0.1:8422")
    assert (nats_engine(core).accounts, nats_engine(dmz).accounts) == (("CORE",), ("DMZ",))
    assert nats_engine(dmz).host == "10.80.2.10"


def test_the_server_of_the_dmz_speaks_tls_and_asks_for_a_certificate(core: Settings, tmp_path: Path) -> None:
    dmz = write_dmz_kit(core, tmp_path / "dmz")
    nats_engine(dmz).prepare()
    document = json.loads((tmp_path / "dmz" / "nats" / "nats.conf").read_text())
    assert list(document["accounts"]) == ["DMZ"]
    tls = document["tls"]
    assert (tls["verify"], tls["handshake_first"], tls["min_version"]) == (True, "auto", "1.3")


def test_a_kit_goes_into_an_empty_folder_alone(core: Settings, tmp_path: Path) -> None:
    write_dmz_kit(core, tmp_path / "dmz")
    with pytest.raises(ZoneError, match="is not empty: give a new folder"):
        write_dmz_kit(core, tmp_path / "dmz")


def test_the_home_of_the_dmz_makes_no_kits(core: Settings, tmp_path: Path) -> None:
    dmz = write_dmz_kit(core, tmp_path / "dmz")
    with pytest.raises(ZoneError, match="is the home of the zone dmz: kits come from core's"):
        core_settings(dmz, PLACE)


def test_a_zone_without_the_authority_uses_its_certificate_to_the_end_and_then_says_what_to_do(
    core: Settings, tmp_path: Path
) -> None:
    dmz = write_dmz_kit(core, tmp_path / "dmz")
    pki, made = dmz.home.path / "pki", datetime.now(UTC)
    nearly = made.replace(year=made.year + 2, day=1)
    before = (pki / "gateway-1.pem").read_bytes()
    assert ensure_identity(pki, role=Role.GATEWAY, number=1, now=nearly - (nearly - made) / 30).certificate.exists()
    assert (pki / "gateway-1.pem").read_bytes() == before
    with pytest.raises(PkiError, match="this zone cannot issue another: make a new kit with `openami zones dmz`"):
        ensure_identity(pki, role=Role.GATEWAY, number=1, now=made.replace(year=made.year + 3, day=1))
    with pytest.raises(PkiError, match=r"collector-9\.pem is missing"):
        ensure_identity(pki, role=Role.COLLECTOR, number=9, now=made)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"security_zone": "garage"}, "security_zone is 'garage', it must be whole, dmz, core or field"),
        ({"security_zone": "core", "dmz_bus_host": None}, "dmz_bus_host must say where the DMZ's bus is"),
        ({"gateway_host": 7}, "gateway_host is 7, it must be text or null"),
        ({"dmz_bus_port": 0}, "dmz_bus_port is 0, it must be a whole number"),
        ({"web_certificate": "portal.pem"}, "web_certificate and web_key belong together"),
    ],
)
def test_settings_of_a_zone_that_cannot_be_used_are_refused_by_name(
    core: Settings, change: dict[str, object], told: str
) -> None:
    file = core.home.settings_file
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(SettingsError, match=told):
        Settings.load(core.home.path)


def test_settings_of_a_zone_are_read_as_they_were_written(core: Settings) -> None:
    assert replace(Settings.load(core.home.path), domain_origin=None) == replace(core, domain_origin=None)
