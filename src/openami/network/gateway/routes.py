"""By which collector each meter was heard last, kept over a restart: meters may be silent for a quarter-hour after it.

``routes`` holds ``OR01 | title 8 | collector u32 ... | crc32 u32``, written whole or not at all. What it says is a
hint that the next frame of a meter corrects, so a file that is lost or spoiled costs a quarter-hour of reach, no more.
"""

from __future__ import annotations

import struct
from pathlib import Path
from zlib import crc32

import structlog

MAX_ROUTES = 1_000_000
"""Titles whose collector is remembered, some 150 octets each; the first learned goes first."""
KEEP_EVERY_S = 60.0
_MAGIC = b"OR01"
_ROW = struct.Struct(">8sI")
_CHECK_OCTETS = 4
_log = structlog.get_logger(__name__)


class RouteBook:
    """Routes in memory and on disk.

    Args:
        file: where they are kept; None for nowhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.routes: dict[bytes, int] = {}
        self._file = file
        self._is_kept = True
        self._load()

    def heard(self, title: bytes, collector_id: int) -> None:
        """Remember that this collector hears a meter."""
        if len(self.routes) >= MAX_ROUTES and title not in self.routes:
            del self.routes[next(iter(self.routes))]
        self.routes[title] = collector_id
        self._is_kept = False

    def keep(self) -> None:
        """Write the routes where they have changed. Blocking: 12 octets a meter; a disk that refuses is logged."""
        if self._file is None or self._is_kept:
            return
        body = _MAGIC + b"".join(_ROW.pack(title, collector) for title, collector in self.routes.items())
        draft = self._file.with_name(self._file.name + ".new")
        try:
            draft.write_bytes(body + crc32(body).to_bytes(_CHECK_OCTETS))
            draft.replace(self._file)
        except OSError as error:
            _log.warning("gateway.routes_not_kept", cause=type(error).__name__)
            return
        self._is_kept = True

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            octets = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("gateway.routes_lost", cause=type(error).__name__)
            return
        body, check = octets[:-_CHECK_OCTETS], octets[-_CHECK_OCTETS:]
        rows = body[len(_MAGIC) :]
        sound = body[: len(_MAGIC)] == _MAGIC and crc32(body).to_bytes(_CHECK_OCTETS) == check
        if not sound or len(rows) % _ROW.size or len(rows) // _ROW.size > MAX_ROUTES:
            _log.warning("gateway.routes_lost", cause="damaged")
            return
        self.routes = dict(_ROW.iter_unpack(rows))
