"""Octets of any length sealed with one key, for what leaves the installation: backups.

Layout: ``OAMISEAL`` (8) | version 1 (1) | salt (16), then chunks: ``length u32 | last u8 | AES-256-GCM of the chunk``.
Each stream has a key of its own, HKDF-SHA-256 of the backup key with the stream's salt and name; the nonce is the
chunk's number, so it never repeats under a key. Name, number and the last mark are authenticated: a stream that was
cut, joined, reordered or put in another's place does not open.

Source: the construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015) over NIST SP 800-38D; RFC 5869.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openami.kernel.errors import OpenAmiError

KEY_OCTETS = 32
CHUNK_OCTETS = 1024 * 1024
_MAGIC = b"OAMISEAL\x01"
_SALT_OCTETS = 16
_TAG_OCTETS = 16
_HEAD = struct.Struct(">IB")


class SealError(OpenAmiError):
    """A sealed stream does not open: another key, or it is not what was written."""


def key_name(key: bytes) -> str:
    """Return what a key may be called where others read it: a digest from which it cannot be found."""
    return sha256(b"openami backup key name" + key).hexdigest()[:16]


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    if len(key) != KEY_OCTETS:
        raise SealError(f"a backup key has {KEY_OCTETS} octets, this one has {len(key)}")
    return AESGCM(HKDF(SHA256(), KEY_OCTETS, salt, b"openami sealed stream\0" + name.encode()).derive(key))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


@dataclass(slots=True)
class SealingWriter:
    """A file object that seals what is written to it. :meth:`finish` writes the last chunk; without it nothing opens.

    Args:
        sink: where sealed octets go.
        key: 32 octets.
        name: what the stream is, to be given again when it is opened.
        salt: 16 random octets, another for each stream.
    """

    sink: BinaryIO
    key: bytes
    name: str
    salt: bytes
    digest: str = ""
    written: int = 0
    _waiting: bytearray = field(default_factory=bytearray)
    _number: int = 0
    _hash: Any = field(default_factory=sha256)
    _cipher: AESGCM = field(init=False)

    def __post_init__(self) -> None:
        if len(self.salt) != _SALT_OCTETS:
            raise SealError(f"a salt has {_SALT_OCTETS} octets")
        self._cipher = _cipher(self.key, self.salt, self.name)
        self._put(_MAGIC + self.salt)

    def write(self, octets: bytes) -> int:
        """Take octets."""
        self._waiting += octets
        while len(self._waiting) > CHUNK_OCTETS:
            self._seal(bytes(self._waiting[:CHUNK_OCTETS]), last=False)
            del self._waiting[:CHUNK_OCTETS]
        return len(octets)

    def finish(self) -> None:
        """Write the last chunk. ``digest`` is then the SHA-256 of all that went to the sink, ``written`` its length."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()
        self.digest = self._hash.hexdigest()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        head = _HEAD.pack(len(chunk), last)
        self._put(head + self._cipher.encrypt(_nonce(self._number), chunk, head))
        self._number += 1

    def _put(self, octets: bytes) -> None:
        self.sink.write(octets)
        self._hash.update(octets)
        self.written += len(octets)


def opened(source: BinaryIO, *, key: bytes, name: str) -> Iterator[bytes]:
    """Yield the chunks of a sealed stream, each only after it was found authentic.

    Raises:
        SealError: not such a stream, another key or name, cut or changed. What was yielded before is authentic, but
            only a stream that ends without an error is whole.
    """
    start = source.read(len(_MAGIC) + _SALT_OCTETS)
    if len(start) != len(_MAGIC) + _SALT_OCTETS or not start.startswith(_MAGIC):
        raise SealError(f"{name}: not a sealed stream")
    cipher, number, last = _cipher(key, start[len(_MAGIC) :], name), 0, False
    while not last:
        head = source.read(_HEAD.size)
        if len(head) != _HEAD.size:
            raise SealError(f"{name}: ends before its last chunk")
        length, flag = _HEAD.unpack(head)
        if length > CHUNK_OCTETS or flag > 1:
            raise SealError(f"{name}: chunk {number} announces what no chunk has")
        body = source.read(length + _TAG_OCTETS)
        try:
            yield cipher.decrypt(_nonce(number), body, head)
        except (InvalidTag, ValueError):
            raise SealError(f"{name}: chunk {number} is not authentic: another key, or it was changed") from None
        number, last = number + 1, bool(flag)
    if source.read(1):
        raise SealError(f"{name}: octets after its last chunk")


@dataclass(slots=True)
class OpeningReader:
    """A file object over :func:`opened`, for readers that ask for so many octets."""

    source: BinaryIO
    key: bytes
    name: str
    _chunks: Iterator[bytes] | None = None
    _rest: bytes = b""

    def read(self, count: int = -1) -> bytes:
        """Return up to ``count`` octets; fewer only at the end. Raises SealError."""
        if self._chunks is None:
            self._chunks = opened(self.source, key=self.key, name=self.name)
        parts, got = [self._rest], len(self._rest)
        while count < 0 or got < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            got += len(chunk)
        whole = b"".join(parts)
        cut = len(whole) if count < 0 else count
        self._rest = whole[cut:]
        return whole[:cut]

    def finish(self) -> None:
        """Read to the end, so that a cut stream is noticed. Raises SealError."""
        while self.read(CHUNK_OCTETS):
            pass
