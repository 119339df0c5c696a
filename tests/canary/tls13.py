"""Open captured TLS 1.3 with the secrets of one of its ends, as they stand in a key log.

Source: RFC 8446 sections 5.2, 7.1 to 7.3; the key log format of NSS (draft-ietf-tls-keylogfile).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_HANDSHAKE, _APPLICATION = 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _KEY_UPDATE = 1, 2, 24
_RANDOM_AT = 5 + 4 + 2
RANDOM_OCTETS = 32
CIPHERS: Mapping[int, tuple[type[AESGCM | ChaCha20Poly1305], int, type[hashes.HashAlgorithm]]] = {
    0x1301: (AESGCM, 16, hashes.SHA256),
    0x1302: (AESGCM, 32, hashes.SHA384),
    0x1303: (ChaCha20Poly1305, 32, hashes.SHA256),
}
Secrets = Mapping[tuple[str, bytes], bytes]


@dataclass(slots=True)
class Opened:
    """What was inside one connection.

    Args:
        client, server: what either side said.
        sealed: how many records could not be opened; those of the handshake are among them.
    """

    client: bytes
    server: bytes
    sealed: int


def secrets_of(file: Path) -> Secrets:
    """Return the traffic secrets of a key log by label and client random."""
    rows = (line.split() for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {(label, bytes.fromhex(random)): bytes.fromhex(secret) for label, random, secret in rows}


def is_tls(client: bytes) -> bool:
    """Tell whether a client began with a hello of TLS."""
    return len(client) > _RANDOM_AT + RANDOM_OCTETS and client[0] == _HANDSHAKE and client[5] == _CLIENT_HELLO


def open_connection(client: bytes, server: bytes, secrets: Secrets) -> Opened | None:
    """Open both directions; None where the key log does not know this connection.

    Args:
        client, server: octets on the wire, from the first one on.
        secrets: of :func:`secrets_of`.
    """
    random = client[_RANDOM_AT : _RANDOM_AT + RANDOM_OCTETS]
    ours = [secrets.get((f"{side}_TRAFFIC_SECRET_0", random)) for side in ("CLIENT", "SERVER")]
    if ours[0] is None or ours[1] is None or len(server) < 80 or server[5] != _SERVER_HELLO:
        return None
    at = _RANDOM_AT + RANDOM_OCTETS
    cipher = struct.unpack_from(">H", server, at + 1 + server[at])[0]
    (asked, shut), (told, also_shut) = _open(client, ours[0], cipher), _open(server, ours[1], cipher)
    return Opened(asked, told, shut + also_shut)


def records(octets: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, header and body of each whole record."""
    at = 0
    while at + 5 <= len(octets):
        kind, length = octets[at], struct.unpack_from(">H", octets, at + 3)[0]
        if at + 5 + length > len(octets):
            return
        yield kind, octets[at : at + 5], octets[at + 5 : at + 5 + length]
        at += 5 + length


def _open(octets: bytes, secret: bytes, number: int) -> tuple[bytes, int]:
    cipher, key_octets, hashed = CIPHERS[number]
    out, sealed, sequence = bytearray(), 0, 0
    key, vector = _keys(secret, key_octets, hashed())
    for kind, head, body in records(octets):
        if kind != _APPLICATION:
            continue
        nonce = (int.from_bytes(vector, "big") ^ sequence).to_bytes(12, "big")
        try:
            plain = cipher(key).decrypt(nonce, body, head).rstrip(b"\0")
        except InvalidTag:
            # The handshake's own records have other keys; after it each opens or something is wrong.
            sealed += 1
            continue
        sequence += 1
        if plain[-1] == _APPLICATION:
            out += plain[:-1]
        elif plain[-1] == _HANDSHAKE and plain[0] == _KEY_UPDATE:
            secret, sequence = _expand(secret, b"traffic upd", hashed().digest_size, hashed()), 0
            key, vector = _keys(secret, key_octets, hashed())
    return bytes(out), sealed


def _keys(secret: bytes, octets: int, hashed: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    return _expand(secret, b"key", octets, hashed), _expand(secret, b"iv", 12, hashed)


def _expand(secret: bytes, label: bytes, octets: int, hashed: hashes.HashAlgorithm) -> bytes:
    whole = b"tls13 " + label
    info = struct.pack(">HB", octets, len(whole)) + whole + b"\0"
    return HKDFExpand(hashed, octets, info).derive(secret)
