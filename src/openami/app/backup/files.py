"""Sealed files of a backup: written whole to the disk, read only where they are authentic."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

from openami.app.backup.manifest import HEAD_FILE, MANIFEST_FILE, BackupError, Manifest, SealedFile
from openami.security.closed_file import make_closed_once, write_closed
from openami.security.sealed_stream import KEY_OCTETS, OpeningReader, SealError, SealingWriter, key_name

_BLOCK = 1024 * 1024


def backup_key(file: Path, *, make: bool) -> bytes:
    """Return the key of a file, made from random octets where it is not there and may be made.

    Raises:
        BackupError: no such file, or no key in it.
    """
    if make:
        make_closed_once(file, lambda: os.urandom(KEY_OCTETS).hex().encode() + b"\n")
    try:
        key = bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        raise BackupError(f"{file} is not there: give the key file of the backup with --key-file") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"{file} holds no backup key ({type(error).__name__})") from error
    if len(key) != KEY_OCTETS:
        raise BackupError(f"{file} holds {len(key)} octets, a backup key has {KEY_OCTETS}")
    return key


def seal_to(folder: Path, file: str, *, key: bytes, stream: str, fill: Callable[[IO[bytes]], object]) -> SealedFile:
    """Write one sealed file; ``fill`` writes what is to be sealed. On disk when this returns.

    Raises:
        BackupError: the disk refused.
    """
    place = folder / file
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
            writer = SealingWriter(sink, key, stream, os.urandom(16))
            fill(cast("IO[bytes]", writer))
            writer.finish()
            sink.flush()
            os.fsync(sink.fileno())
    except OSError as error:
        raise BackupError(f"{place} cannot be written: {error.strerror}") from error
    return SealedFile(file, writer.written, writer.digest)


def open_from(
    folder: Path, sealed: SealedFile, *, key: bytes, stream: str, take: Callable[[IO[bytes]], object]
) -> None:
    """Open one sealed file; ``take`` reads what was sealed, and the rest is read to be sure of the end.

    Raises:
        BackupError: the file is not there.
        SealError: it does not open.
    """
    try:
        with (folder / sealed.file).open("rb") as source:
            reader = OpeningReader(source, key, stream)
            take(cast("IO[bytes]", reader))
            reader.finish()
    except FileNotFoundError:
        raise BackupError(f"{sealed.file} is missing from the backup") from None
    except tarfile.TarError as error:
        raise BackupError(f"{sealed.file} holds no part of a table ({type(error).__name__})") from error


def packed(part: Path) -> Callable[[IO[bytes]], None]:
    """Return what writes a part's files as a tar stream."""

    def fill(sink: IO[bytes]) -> None:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            tar.add(part, arcname=part.name)

    return fill


def unpacked(folder: Path) -> Callable[[IO[bytes]], None]:
    """Return what reads a tar stream into a folder; nothing lands outside it."""

    def take(source: IO[bytes]) -> None:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            tar.extractall(folder, filter="data")

    return take


def write_manifest(folder: Path, manifest: Manifest, *, key: bytes) -> None:
    """Write the manifest and then the head: from here on the folder is a backup."""
    body = manifest.encode()
    seal_to(folder, MANIFEST_FILE, key=key, stream="manifest", fill=lambda sink: sink.write(body))
    head = {
        "format": 1,
        "made_at": manifest.made_at.isoformat(),
        "key": key_name(key),
        "manifest": sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest(),
    }
    write_closed(folder / HEAD_FILE, json.dumps(head, indent=2).encode() + b"\n")


def read_manifest(folder: Path, *, key: bytes) -> Manifest:
    """Read what a backup holds.

    Raises:
        BackupError: no backup, unfinished, or made with another key.
        SealError: the manifest was changed.
    """
    head = _head(folder)
    if head.get("key") != key_name(key):
        raise BackupError(f"{folder} was sealed with key {head.get('key')}, this key is {key_name(key)}")
    parts: list[bytes] = []
    open_from(
        folder, SealedFile(MANIFEST_FILE, 0, ""), key=key, stream="manifest",
        take=lambda source: parts.append(source.read()),
    )  # fmt: skip
    return Manifest.decode(b"".join(parts))


def check_files(folder: Path, manifest: Manifest, *, key: bytes) -> int:
    """Open every file of a backup to its end and return how many octets they have.

    Raises:
        BackupError, SealError: a file is missing or is not what was written.
    """
    names = [(manifest.database, "database"), *((p.sealed, p.stream) for p in manifest.parts)]
    total = 0
    for sealed, stream in names:
        open_from(folder, sealed, key=key, stream=stream, take=_read_all)
        found = _digest(folder / sealed.file)
        if found != sealed.sha256:
            raise SealError(f"{sealed.file}: not the file that was written")
        total += sealed.octets
    return total


def _read_all(source: IO[bytes]) -> None:
    while source.read(_BLOCK):
        pass


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        digest = sha256()
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _head(folder: Path) -> dict[str, Any]:
    try:
        head = json.loads((folder / HEAD_FILE).read_bytes())
    except FileNotFoundError:
        raise BackupError(f"{folder} is no backup, or one that was not finished: it has no {HEAD_FILE}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BackupError(f"{folder / HEAD_FILE} cannot be read ({type(error).__name__})") from error
    if not isinstance(head, dict):
        raise BackupError(f"{folder / HEAD_FILE} cannot be read (it holds no object)")
    return head
