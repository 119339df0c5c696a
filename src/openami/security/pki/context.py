"""TLS contexts of link v1 and what a peer's certificate says about it.

TLS 1.3 only, both sides show a certificate of our authority, ALPN ``openami-link/1``. Session tickets are off, so a
revoked certificate cannot come back through a resumed session.

Source: RFC 8446; RFC 7301 (ALPN); RFC 5280 section 4.2.1.6 (subject alternative name of type URI).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from openami.kernel.errors import OpenAmiError
from openami.security.pki.errors import PkiError

ALPN = "openami-link/1"
_URI = re.compile(r"openami:(gateway|collector|bus|service):([1-9][0-9]{0,9})")
MAX_NUMBER = 2**32 - 1
MAX_REVOKED = 100_000
"""More revoked certificates than this is a file that is not ours."""


class Role(StrEnum):
    """What the holder of a certificate is."""

    GATEWAY = "gateway"
    COLLECTOR = "collector"
    BUS = "bus"
    """A NATS server."""
    SERVICE = "service"
    """A process of the platform that dials a bus."""


class PeerRefusedError(OpenAmiError):
    """A peer's certificate or protocol is not the one this side talks to."""


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who a verified certificate names.

    Args:
        role: what it is.
        number: its number among those, 1 to 2^32 - 1.
        serial: serial number of the certificate.
    """

    role: Role
    number: int
    serial: int


def peer_identity(certificate: Mapping[str, Any] | None) -> PeerIdentity:
    """Read role and number from what :meth:`ssl.SSLObject.getpeercert` returned.

    Raises:
        PeerRefusedError: no certificate, or not exactly one OpenAMI name in it.
    """
    if not certificate:
        raise PeerRefusedError("the peer showed no certificate")
    uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    match = _URI.fullmatch(uris[0]) if len(uris) == 1 else None
    if match is None or int(match[2]) > MAX_NUMBER:
        raise PeerRefusedError("the certificate does not hold exactly one name openami:<role>:<number>")
    return PeerIdentity(Role(match[1]), int(match[2]), int(certificate["serialNumber"], 16))


def server_context(*, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Return the gateway's context: a collector without a certificate of ours does not get in."""
    return _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, authority)


def client_context(*, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Return a collector's context. The role in the gateway's certificate is checked after the handshake."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, authority)


def _context(protocol: int, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    # The name that counts is the role's URI: host names of a demonstration machine mean nothing.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN])
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise PkiError(f"{certificate} and its key cannot be used with {authority}: {type(error).__name__}") from error
    return context


class RevocationList:
    """Serial numbers that are refused, from a text file with one hexadecimal serial a line.

    The file is read again when it changes. While it cannot be read, the last list that could be read stays in force;
    a list that was never readable refuses nothing only when the file does not exist.

    Args:
        file: where it is, ``pki/revoked`` of the home.
    """

    __slots__ = ("_seen", "_serials", "file")

    def __init__(self, file: Path) -> None:
        self.file = file
        self._serials: frozenset[int] = frozenset()
        self._seen: tuple[int, int, int] | None = None
        self.refresh()

    def __contains__(self, serial: object) -> bool:
        return serial in self._serials

    @property
    def serials(self) -> frozenset[int]:
        """The serials that are refused."""
        return self._serials

    def refresh(self) -> bool:
        """Read the file if it changed; return whether the list is new.

        Raises:
            PkiError: the file exists and is not a list of serials.
        """
        try:
            status = self.file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return False
            lines = self.file.read_text("ascii").split()
            if len(lines) > MAX_REVOKED:
                raise PkiError(f"{self.file} holds {len(lines)} serials, the limit is {MAX_REVOKED}")
            self._serials = frozenset(int(line, 16) for line in lines)
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise PkiError(f"{self.file} is not a list of hexadecimal serials: {type(error).__name__}") from error
        self._seen = seen
        return True
