"""What passed, on disk before it goes down: so that a restart neither forgets a count nor lets a command pass again.

One file of fixed rows, ``kind u8 | at_ms u64 | expires_at_ms u64 | request id 16 | title 8 | effect u8 | requester 16 |
feeder u32 | load_w u32 | crc32 u32``, big-endian. Kind 1 passed; 2 takes the passing of the same request id back: no
collector took it. A row that a power cut tore does not check and is left out. Rows older than a day are dropped at
start and whenever the file has doubled.

Only what changes a supply is here, some hundreds of rows a day; each is forced to disk, a few milliseconds in which the
gateway does nothing else.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID
from zlib import crc32

import structlog

from openami.contracts.command import CommandEffect
from openami.kernel.errors import OpenAmiError
from openami.network.gateway.thresholds.judge import DAY_MS, Switched
from openami.network.spool.order import sync_folder

SMALLEST_REWRITE = 4_096
"""Rows below which the file is not worth a rewrite."""
MAX_ROWS = 200_000
"""Passed commands of a day that are held in memory and on disk; then no more pass. Ten times a large utility's day."""
_PASSED, _TAKEN_BACK = 1, 2
_ROW = struct.Struct(">BQQ16s8sB16sII")
_CHECK = struct.Struct(">I")
ROW_OCTETS = _ROW.size + _CHECK.size
_EFFECTS = frozenset(CommandEffect)
_log = structlog.get_logger(__name__)


class RecordError(OpenAmiError):
    """The record of what passed cannot be read or written, so nothing may pass."""


@dataclass(frozen=True, slots=True)
class Passed:
    """One command that passed.

    Args:
        request_id: its own.
        at_ms, expires_at_ms: real time, milliseconds since the epoch.
        switched: what is counted of it.
    """

    request_id: UUID
    at_ms: int
    expires_at_ms: int
    switched: Switched


class PassedRecord:
    """The record of one gateway. Blocking.

    Args:
        file: where it is; None for nowhere (tests of other things).
        now_ms: real time; what passed more than a day before is dropped.
    """

    def __init__(self, file: Path | None, *, now_ms: int) -> None:
        self._file = file
        self._is_lost = self._is_torn = False
        self.rows: dict[UUID, Passed] = {}
        self._written = 0
        self._load(now_ms)

    def append(self, passed: Passed) -> None:
        """Write that a command passes, and return when that is on disk.

        Raises:
            RecordError: the disk refused, or there are as many as may be.
        """
        if len(self.rows) >= MAX_ROWS:
            raise RecordError(f"{MAX_ROWS} commands passed in a day: no more do")
        self._write(_octets(_PASSED, passed))
        self.rows[passed.request_id] = passed

    def take_back(self, request_id: UUID) -> None:
        """Write that it did not pass after all. A disk that refuses leaves it counted, which errs on the safe side."""
        passed = self.rows.pop(request_id, None)
        if passed is None:
            return
        try:
            self._write(_octets(_TAKEN_BACK, passed))
        except RecordError as error:
            _log.warning("gateway.take_back_not_kept", problem=str(error))

    def tidy(self, *, now_ms: int) -> None:
        """Drop what is older than a day; rewrite the file where half of it is that."""
        for request_id in [i for i, p in self.rows.items() if _is_old(p, now_ms)]:
            del self.rows[request_id]
        if self._written > max(SMALLEST_REWRITE, 2 * len(self.rows)) and not self._is_lost:
            try:
                self._rewrite()
            except RecordError as error:
                _log.warning("gateway.passed_not_tidied", problem=str(error))

    def _write(self, octets: bytes) -> None:
        if self._is_lost:
            raise RecordError("the record of what passed could not be read at start: mend the file and start again")
        if self._file is None:
            return
        if self._is_torn:
            self._rewrite()
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(octets)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            # Half a row may stand there, and would put every later one out of step.
            self._is_torn = True
            raise RecordError(f"the record cannot be written: {os.strerror(error.errno or 0)}") from error
        self._written += 1

    def _load(self, now_ms: int) -> None:
        if self._file is None:
            return
        try:
            octets = self._file.read_bytes() if self._file.exists() else b""
            for start in range(0, len(octets) - ROW_OCTETS + 1, ROW_OCTETS):
                self._take(octets[start : start + ROW_OCTETS], now_ms)
            self._rewrite()
        except (OSError, RecordError) as error:
            # Fail closed: who does not know what passed lets nothing more pass.
            self._is_lost = True
            _log.error("gateway.passed_lost", cause=type(error).__name__)

    def _take(self, row: bytes, now_ms: int) -> None:
        body, check = row[: _ROW.size], row[_ROW.size :]
        kind, at_ms, expires_at_ms, request_id, title, effect, requester, feeder, load_w = _ROW.unpack(body)
        if _CHECK.pack(crc32(body)) != check or kind not in {_PASSED, _TAKEN_BACK} or effect not in _EFFECTS:
            _log.warning("gateway.passed_row_spoiled")
            return
        switched = Switched(title, CommandEffect(effect), UUID(bytes=requester), feeder, load_w)
        passed = Passed(UUID(bytes=request_id), at_ms, expires_at_ms, switched)
        if kind == _TAKEN_BACK:
            self.rows.pop(passed.request_id, None)
        elif not _is_old(passed, now_ms):
            self.rows[passed.request_id] = passed

    def _rewrite(self) -> None:
        if self._file is None:
            return
        draft = self._file.with_name(self._file.name + ".new")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(b"".join(_octets(_PASSED, passed) for passed in self.rows.values()))
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self._file)
            sync_folder(self._file.parent)
        except OSError as error:
            raise RecordError(f"the record cannot be written: {os.strerror(error.errno or 0)}") from error
        self._written = len(self.rows)
        self._is_torn = False


def _octets(kind: int, passed: Passed) -> bytes:
    one = passed.switched
    body = _ROW.pack(
        kind,
        passed.at_ms,
        passed.expires_at_ms,
        passed.request_id.bytes,
        one.title,
        one.effect,
        one.requester.bytes,
        one.feeder,
        one.load_w,
    )
    return body + _CHECK.pack(crc32(body))


def _is_old(passed: Passed, now_ms: int) -> bool:
    return max(passed.at_ms + DAY_MS, passed.expires_at_ms) <= now_ms
