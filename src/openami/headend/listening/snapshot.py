"""Pages of counter windows as octets: what the head-end keeps so that it may be killed at any instant.

Layout: magic ``OW01``, count u32, then (zlib) columns of ``count`` rows, little-endian: system title u64, generation
u32, highest i64, bitmap 16 x u64. A group's state is one base page and the changed rows since, laid over it in order.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from openami.contracts.errors import ContractError
from openami.headend.listening.window import WORDS, CounterWindows, Rows
from openami.security.keys.table import KeyTable

MAGIC = b"OW01"
MAX_ROWS = 4_000_000
_HEAD = struct.Struct("<4sI")
_COLUMNS = (("title", "<u8", 1), ("generation", "<u4", 1), ("highest", "<i8", 1), ("bitmap", "<u8", WORDS))
_ROW_OCTETS = sum(np.dtype(kind).itemsize * width for _, kind, width in _COLUMNS)
_LEVEL = 1
"""zlib's fastest level: windows are long runs of ones and shrink ten times at any."""


def encode_page(windows: CounterWindows, table: KeyTable, rows: Rows) -> bytes:
    """Return the windows of these rows as octets.

    Args:
        windows: all windows.
        table: names the rows.
        rows: (n,) row numbers.
    """
    parts = (
        table.title[rows].astype("<u8").tobytes(),
        table.generation[rows].astype("<u4").tobytes(),
        windows.highest[rows].astype("<i8").tobytes(),
        windows.bitmap[rows].astype("<u8").tobytes(),
    )
    return _HEAD.pack(MAGIC, len(rows)) + zlib.compress(b"".join(parts), _LEVEL)


def restore_page(windows: CounterWindows, table: KeyTable, octets: bytes) -> Rows:
    """Lay a page over the windows and return its row numbers.

    Raises:
        ContractError: the octets are not a page, or a window's key pair is not in the table.
    """
    if len(octets) < _HEAD.size:
        raise ContractError(f"window page: {len(octets)} octets, the header alone has {_HEAD.size}")
    magic, count = _HEAD.unpack_from(octets)
    if magic != MAGIC or count > MAX_ROWS:
        raise ContractError(f"window page: magic {magic.hex()} and {count} rows at offset 0")
    plain = _inflate(octets[_HEAD.size :], count * _ROW_OCTETS)
    columns, at = {}, 0
    for name, kind, width in _COLUMNS:
        columns[name] = np.frombuffer(plain, kind, count * width, at)
        at += columns[name].nbytes
    rows = table.find(columns["title"], columns["generation"])
    if (rows < 0).any():
        raise ContractError(f"window page: {int((rows < 0).sum())} of {count} key pairs are not in the vault")
    windows.grow(len(table))
    windows.highest[rows] = columns["highest"]
    windows.bitmap[rows] = columns["bitmap"].reshape(count, WORDS)
    return rows


def _inflate(octets: bytes, length: int) -> bytes:
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(octets, length + 1)
    except zlib.error as error:
        raise ContractError("window page: damaged") from error
    if len(plain) != length or not reader.eof or reader.unused_data:
        raise ContractError(f"window page: {len(plain)} octets, expected {length}")
    return plain
