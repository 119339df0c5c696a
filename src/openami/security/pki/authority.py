"""The certificate authority of one installation, made at first start: P-256, one level, no subject but roles.

Everything lies in one folder (``pki/`` of the home, mode 0700; each key 0600): ``ca.pem``, ``ca.key`` and per holder
``<role>-<number>.pem`` and ``.key``. In production the authority's key is kept on a machine of its own and only the
issued pairs travel; nothing but :func:`ensure_identity` reads ``ca.key``.

Several processes may ask at once at first start: a file lock makes one of them do the work.

Source: RFC 5280; SEC 2 curve P-256.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openami.security.closed_file import write_closed
from openami.security.pki.context import MAX_NUMBER, Role
from openami.security.pki.errors import PkiError

AUTHORITY_LIFE = timedelta(days=20 * 365)
IDENTITY_LIFE = timedelta(days=2 * 365)
RENEW_BEFORE = timedelta(days=60)
"""A certificate this near its end is made anew at the next start."""
_SERVERS = frozenset({Role.GATEWAY, Role.BUS})
CLOCK_SLACK = timedelta(days=1)
"""Certificates begin a day early: field devices' clocks may be behind."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a holder's certificate, its private key and the authority's certificate lie."""

    certificate: Path
    key: Path
    authority: Path


def ensure_authority(folder: Path, *, now: datetime) -> Path:
    """Make the authority if there is none yet and return the path of its certificate.

    Args:
        folder: the installation's ``pki`` folder.
        now: real time, UTC.

    Raises:
        PkiError: the folder holds half an authority.
    """
    with _locked(folder):
        return _ensure_authority(folder, now)


def ensure_identity(folder: Path, *, role: Role, number: int, now: datetime, hosts: Sequence[str] = ()) -> Identity:
    """Return the certificate of a holder, issuing or renewing it where needed.

    Args:
        folder: the installation's ``pki`` folder.
        role: what it is.
        number: its number, 1 to 2^32 - 1.
        now: real time, UTC.
        hosts: names and addresses that a bus is dialed by; others are known by role and number.

    A folder without the authority's key (of another zone) is one whose certificates come from where that key is: they
    are used as long as they hold.

    Raises:
        PkiError: the authority or an issued certificate cannot be read, the number is out of range, or a certificate
            is missing or has ended where the authority's key is not.
    """
    if not 1 <= number <= MAX_NUMBER:
        raise PkiError(f"a {role} has a number from 1 to {MAX_NUMBER}, not {number}")
    with _locked(folder):
        authority = _ensure_authority(folder, now)
        certificate, key = folder / f"{role}-{number}.pem", folder / f"{role}-{number}.key"
        is_whole = (folder / "ca.key").exists()
        if not _is_current(certificate, key, authority, now, hosts, RENEW_BEFORE if is_whole else timedelta()):
            if not is_whole:
                raise PkiError(
                    f"{certificate} is missing or has ended and this zone cannot issue another: make a new kit with "
                    "`openami zones dmz` or `field` where the authority is, and bring its pki folder here"
                )
            _issue(folder, role, number, now, hosts)
        return Identity(certificate, key, authority)


def certificate_days_left(certificate: Path, *, now: datetime) -> int:
    """Return how many whole days a certificate still holds; negative once it has ended.

    Raises:
        PkiError: the file is no certificate.
    """
    return (_read_certificate(certificate).not_valid_after_utc - now).days


def revoke(folder: Path, *, role: Role, number: int) -> int:
    """Put a holder's present certificate on the revocation list, take its files away and return the serial.

    Raises:
        PkiError: it has no certificate here.
    """
    with _locked(folder):
        certificate = folder / f"{role}-{number}.pem"
        serial = _read_certificate(certificate).serial_number
        listed = folder / "revoked"
        before = listed.read_text("ascii") if listed.exists() else ""
        write_closed(listed, (before + f"{serial:x}\n").encode())
        certificate.unlink()
        (folder / f"{role}-{number}.key").unlink(missing_ok=True)
        return serial


def certificate_serial(folder: Path, *, role: Role, number: int) -> int | None:
    """Return the serial of a holder's present certificate; None where it has none here.

    Raises:
        PkiError: the file is no certificate.
    """
    certificate = folder / f"{role}-{number}.pem"
    return _read_certificate(certificate).serial_number if certificate.exists() else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_authority(folder: Path, now: datetime) -> Path:
    certificate, key_file = folder / "ca.pem", folder / "ca.key"
    if certificate.exists():
        return certificate
    # The key is written first and the certificate last, so a certificate on disk means a whole authority.
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OpenAMI installation authority")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    write_closed(certificate, made.public_bytes(serialization.Encoding.PEM))
    return certificate


def _issue(folder: Path, role: Role, number: int, now: datetime, hosts: Sequence[str]) -> None:
    authority = _read_certificate(folder / "ca.pem")
    authority_key = _read_key(folder / "ca.key")
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if role in _SERVERS else ExtendedKeyUsageOID.CLIENT_AUTH
    names = [x509.UniformResourceIdentifier(f"openami:{role}:{number}"), *_names_of(hosts)]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{role}-{number}")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + IDENTITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(folder / f"{role}-{number}.key", key)
    write_closed(folder / f"{role}-{number}.pem", made.public_bytes(serialization.Encoding.PEM))


def _names_of(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _is_current(
    certificate: Path, key: Path, authority: Path, now: datetime, hosts: Sequence[str], before_end: timedelta
) -> bool:
    """Tell whether the pair is whole, from this authority, for these hosts, and not about to end."""
    if not certificate.exists() or not key.exists():
        return False
    held = _read_certificate(certificate)
    if held.not_valid_after_utc - now < before_end or held.not_valid_before_utc > now:
        return False
    named = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if any(name not in named for name in _names_of(hosts)):
        return False
    # A kill between the two writes of a renewal leaves a new key beside the old certificate.
    same_key = held.public_key() == _read_key(key).public_key()
    return same_key and held.issuer == _read_certificate(authority).subject


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        raise PkiError(f"{file} is not a certificate: {type(error).__name__}") from error


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise PkiError(f"{file} is not a private key: {type(error).__name__}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{file} is not an elliptic-curve key")
    return key


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    write_closed(
        file,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
