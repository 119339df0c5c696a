"""The address of a bus, with what it takes to reach it by TLS.

``nats://user:password@host:port`` is for one machine. Between machines and zones the address is
``tls://user:password@host:port?sslrootcert=FILE&sslcert=FILE&sslkey=FILE``: the names are those of PostgreSQL's
addresses. ``sslrootcert`` is whose certificates are believed (without it the system's), ``sslcert`` and ``sslkey``
what we show where the server asks for it. The server's name must be in its certificate.

The first octets on the wire are TLS already: a NATS server that greets in the clear could also say that it needs no
encryption, and whoever stands between could say it for it. The server must be told so: ``handshake_first: auto``.

Source: NATS server configuration, tls; requirement R4.5.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from openami.kernel.errors import OpenAmiError

_FILES = frozenset({"sslrootcert", "sslcert", "sslkey"})


class BusError(OpenAmiError):
    """The bus could not be prepared or reached."""


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where a bus answers. Its text shows no password.

    Args:
        url: address without its query.
        tls: how to reach it; None in the clear.
    """

    url: str
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"BusAddress({urlsplit(self.url).hostname}, {'TLS' if self.tls else 'in the clear'})"


def bus_address(text: str) -> BusAddress:
    """Read an address.

    Raises:
        BusError: another scheme, a word that is none of ours, or files that cannot be used. Shows no password.
    """
    parts = urlsplit(text)
    words = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in {"nats", "tls"}:
        raise BusError(f"the address of a bus begins with nats:// or tls://, not {parts.scheme[:20]!r}")
    if unknown := sorted(set(words) - _FILES):
        raise BusError(f"the address of a bus takes {', '.join(sorted(_FILES))}, not {unknown[0][:40]!r}")
    if empty := sorted(word for word, value in words.items() if not value):
        raise BusError(f"the address of a bus has an empty {empty[0]}")
    bare = urlunsplit(parts._replace(query=""))
    if parts.scheme == "nats":
        if words:
            raise BusError("the address of a bus with certificates begins with tls://")
        return BusAddress(bare, None)
    return BusAddress(bare, _context(words))


def _context(words: dict[str, str]) -> ssl.SSLContext:
    if ("sslcert" in words) != ("sslkey" in words):
        raise BusError("the address of a bus has sslcert and sslkey, or neither")
    try:
        context = ssl.create_default_context(cafile=words.get("sslrootcert"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if "sslcert" in words:
            context.load_cert_chain(words["sslcert"], words["sslkey"])
    except (OSError, ssl.SSLError) as error:
        raise BusError(f"the certificates of the bus's address cannot be used: {type(error).__name__}") from error
    return context
