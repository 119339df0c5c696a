"""Opening of many sealed bodies at once: suite 0, authenticated and encrypted, tags of 12 octets.

What :func:`openami.security.suites.gcm.open_sealed` does to one body is done here to columns of bodies; a property test
holds both equal. A row that does not open says no reason: ask the single function.

Source: IEC 62056-5-3, 5.7 (cryptographic protection of xDLMS APDUs); NIST SP 800-38D.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openami.security.suites.gcm import AUTHENTICATED_AND_ENCRYPTED, TAG_OCTETS, TITLE_OCTETS

U8 = npt.NDArray[np.uint8]
KEY_OCTETS = 16
PAIR_OCTETS = 2 * KEY_OCTETS
"""Encryption key and authentication key of suite 0, joined."""
_CHUNK = 256
"""Bodies opened in one go: a cipher object takes 2.4 kB, and this many stay in a core's own cache."""


def open_batch(
    titles: Sequence[bytes],
    counters: Sequence[int],
    security_controls: Sequence[int],
    ciphertexts: Sequence[bytes],
    keys: Sequence[bytes | None],
) -> list[bytes | None]:
    """Verify and open many bodies of suite 0, authenticated and encrypted.

    Args:
        titles: (n,) system titles of 8 octets.
        counters: (n,) invocation counters.
        security_controls: (n,) control octets; a row that is not 0x30 gives None.
        ciphertexts: (n,) ciphertext and 12-octet tag.
        keys: (n,) encryption key and authentication key joined, 32 octets; None where the keys are unknown.

    Returns:
        (n,) plaintexts; None where the row does not open. Ask :func:`open_sealed` for the reason.
    """
    opened: list[bytes | None] = [None] * len(titles)
    by_length: dict[int, list[int]] = {}
    for number, (title, control, ciphertext, pair) in enumerate(
        zip(titles, security_controls, ciphertexts, keys, strict=True)
    ):
        usable = pair is not None and len(pair) == PAIR_OCTETS and len(title) == TITLE_OCTETS
        if usable and control == AUTHENTICATED_AND_ENCRYPTED and len(ciphertext) >= TAG_OCTETS:
            by_length.setdefault(len(ciphertext), []).append(number)
    for members in by_length.values():
        vectors = b"".join([titles[i] + counters[i].to_bytes(4) for i in members])
        plaintexts, verified = open_columns(
            _matrix(vectors, len(members)),
            _matrix(b"".join([ciphertexts[i] for i in members]), len(members)),
            _matrix(b"".join([keys[i] or b"" for i in members]), len(members)),
        )
        for number, plaintext, good in zip(members, octet_rows(plaintexts), verified.tolist(), strict=True):
            if good:
                opened[number] = plaintext
    return opened


def open_columns(vectors: U8, sealed: U8, pairs: U8) -> tuple[U8, npt.NDArray[np.bool_]]:
    """Verify and open many bodies of suite 0 of one length, authenticated and encrypted.

    Args:
        vectors: (n, 12) system title and invocation counter.
        sealed: (n, length + 12) ciphertext and tag.
        pairs: (n, 32) encryption key and authentication key.

    Returns:
        (n, length) plaintexts, all zero where the tag does not verify; (n,) whether it does.
    """
    count, length = len(sealed), sealed.shape[1] - TAG_OCTETS
    plaintexts = np.empty((count, length), np.uint8)
    verified = np.zeros(count, np.bool_)
    for at in range(0, count, _CHUNK):
        part = slice(at, min(at + _CHUNK, count))
        verified[part] = _open_chunk(vectors[part], sealed[part], pairs[part], plaintexts[part])
    if not verified.all():
        plaintexts[~verified] = 0
    return plaintexts, verified


def _open_chunk(vectors: U8, sealed: U8, pairs: U8, plaintexts: U8) -> npt.NDArray[np.bool_]:
    """Write plaintexts, and tell which of them verify; the caller wipes the others."""
    length = plaintexts.shape[1]
    # A new cipher object from 16 key octets costs as much as a cold cached one, and a million of them 2.4 GB. Mapping
    # the library's functions over lists keeps the interpreter out of the loop.
    ciphers = list(map(AESGCM, octet_rows(pairs[:, :KEY_OCTETS])))
    each = octet_rows(vectors)
    opened = b"".join(map(AESGCM.encrypt, ciphers, each, octet_rows(sealed[:, :length]), repeat(None)))
    plaintexts[:] = _matrix(opened, len(sealed))[:, :length]
    additional = np.full((len(sealed), 1 + KEY_OCTETS), AUTHENTICATED_AND_ENCRYPTED, np.uint8)
    additional[:, 1:] = pairs[:, KEY_OCTETS:]
    again = b"".join(map(AESGCM.encrypt, ciphers, each, octet_rows(plaintexts), octet_rows(additional)))
    tags = _matrix(again, len(sealed))[:, length : length + TAG_OCTETS]
    # Every octet is looked at whatever the others are, so the time does not tell where a forged tag goes wrong.
    verified: npt.NDArray[np.bool_] = np.bitwise_or.reduce(tags ^ sealed[:, length:], axis=1) == 0
    return verified


def octet_rows(matrix: U8) -> list[bytes]:
    """Return the rows of an (n, width) matrix as octets."""
    count, width = matrix.shape
    if width == 0:
        return [b""] * count
    rows: list[bytes] = np.ascontiguousarray(matrix).view(f"V{width}").reshape(-1).tolist()
    return rows


def _matrix(octets: bytes, rows: int) -> U8:
    return np.frombuffer(octets, np.uint8).reshape(rows, -1)
