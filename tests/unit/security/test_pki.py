"""The authority issues what a role needs and nothing more, once, and says which file is bad."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from openami.security.pki import (
    PeerRefusedError,
    PkiError,
    RevocationList,
    Role,
    client_context,
    ensure_authority,
    ensure_identity,
    peer_identity,
    revoke,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_every_file_is_closed_to_others_and_every_key_is_p_256(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path / "pki", role=Role.COLLECTOR, number=7, now=NOW)
    assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.rglob("*.pem")} == {0o600}
    assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.rglob("*.key")} == {0o600}
    key = x509.load_pem_x509_certificate(identity.certificate.read_bytes()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_an_identity_stays_until_it_is_about_to_end(tmp_path: Path) -> None:
    first = ensure_identity(tmp_path, role=Role.GATEWAY, number=1, now=NOW).certificate.read_bytes()
    assert ensure_identity(tmp_path, role=Role.GATEWAY, number=1, now=NOW).certificate.read_bytes() == first
    later = NOW + timedelta(days=2 * 365 - 30)
    assert ensure_identity(tmp_path, role=Role.GATEWAY, number=1, now=later).certificate.read_bytes() != first


def test_a_renewal_that_was_killed_between_key_and_certificate_is_done_again(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path, role=Role.COLLECTOR, number=7, now=NOW)
    other = ensure_identity(tmp_path, role=Role.COLLECTOR, number=8, now=NOW)
    identity.key.write_bytes(other.key.read_bytes())
    mended = ensure_identity(tmp_path, role=Role.COLLECTOR, number=7, now=NOW)
    client_context(certificate=mended.certificate, key=mended.key, authority=mended.authority)


def test_many_at_once_make_one_authority(tmp_path: Path) -> None:
    def ask(number: int) -> bytes:
        return ensure_identity(tmp_path, role=Role.COLLECTOR, number=number, now=NOW).authority.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(1, 17)))) == 1


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_a_number_out_of_range_is_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(PkiError):
        ensure_identity(tmp_path, role=Role.COLLECTOR, number=number, now=NOW)


def test_a_spoiled_file_is_named_and_never_quoted(tmp_path: Path) -> None:
    ensure_authority(tmp_path, now=NOW)
    (tmp_path / "ca.key").write_text("SECRET")
    with pytest.raises(PkiError, match=r"ca\.key") as caught:
        ensure_identity(tmp_path, role=Role.COLLECTOR, number=7, now=NOW)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param((), id="no name"),
        pytest.param((("DNS", "openami:collector:7"),), id="a host name"),
        pytest.param((("URI", "openami:collector:7"), ("URI", "openami:gateway:1")), id="two names"),
        pytest.param((("URI", "openami:collector:07"),), id="a leading zero"),
        pytest.param((("URI", "openami:collector:4294967296"),), id="a number over 32 bits"),
        pytest.param((("URI", "openami:headend:1"),), id="an unknown role"),
        pytest.param((("URI", "openami:collector:7\n"),), id="a line end"),
    ],
)
def test_a_certificate_that_does_not_name_one_role_is_refused(names: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(PeerRefusedError):
        peer_identity({"subjectAltName": names, "serialNumber": "01"})


def test_no_certificate_is_refused() -> None:
    with pytest.raises(PeerRefusedError):
        peer_identity(None)


def test_a_revoked_serial_is_on_the_list_and_the_next_certificate_is_not(tmp_path: Path) -> None:
    listed = RevocationList(tmp_path / "revoked")
    ensure_identity(tmp_path, role=Role.COLLECTOR, number=7, now=NOW)
    serial = revoke(tmp_path, role=Role.COLLECTOR, number=7)
    assert serial not in listed
    assert listed.refresh()
    assert serial in listed
    again = ensure_identity(tmp_path, role=Role.COLLECTOR, number=7, now=NOW)
    assert x509.load_pem_x509_certificate(again.certificate.read_bytes()).serial_number not in listed


def test_a_list_that_is_spoiled_keeps_the_last_good_one_in_force(tmp_path: Path) -> None:
    file = tmp_path / "revoked"
    file.write_text("0a\nff\n")
    listed = RevocationList(file)
    file.write_text("0a\nnot a serial\n")
    with pytest.raises(PkiError, match="revoked"):
        listed.refresh()
    assert 10 in listed
    assert 255 in listed
