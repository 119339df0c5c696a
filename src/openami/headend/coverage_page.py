"""Pages of coverage as octets: kept beside the counter windows, so that gaps are known after any kill.

Layout: magic ``OC01``, began_s i64, today i64, meters u32, pages u32, then (zlib) the meters' columns and their open
pages, little-endian. A group's state is one base and the changed meters since, laid over it in order; a meter in a
later page replaces itself, open pages and all.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from openami.contracts.errors import ContractError
from openami.headend.coverage import DAY_BITS, DAY_OCTETS, I64, KINDS, Coverage

MAGIC = b"OC01"
MAX_METERS = 4_000_000
MAX_PAGES = 64 * MAX_METERS
_HEAD = struct.Struct("<4sqqII")
_METER = (("title", "<u8"), ("since", "<i8"), ("until", "<i8"), ("is_rostered", "u1"), ("down_s", "<i8"),
          ("newest", "<i8"), ("cell", "<i4"), ("opened", "<i4"), ("finished", "<u8"))  # fmt: skip
_METER_OCTETS = sum(np.dtype(kind).itemsize for _, kind in _METER)
_PAGE_OCTETS = 4 + 4 + KINDS * DAY_OCTETS
_LEVEL = 1
"""zlib's fastest: bits are long runs and shrink well at any."""


def encode_coverage(coverage: Coverage, numbers: I64) -> bytes:
    """Return these meters and their open pages as octets.

    Args:
        coverage: of a group.
        numbers: (n,) meters, in order, each once.
    """
    rows = np.flatnonzero(np.isin(coverage.key >> DAY_BITS, numbers))
    key = coverage.key[rows]
    owner = np.searchsorted(numbers, key >> DAY_BITS)
    parts = [getattr(coverage, name)[numbers].astype(kind).tobytes() for name, kind in _METER]
    parts += [owner.astype("<u4").tobytes(), (key & (1 << DAY_BITS) - 1).astype("<u4").tobytes()]
    parts.append(coverage.bits[rows].tobytes())
    head = _HEAD.pack(MAGIC, coverage.began_s, coverage.today, len(numbers), len(rows))
    return head + zlib.compress(b"".join(parts), _LEVEL)


def restore_coverage(pages: Sequence[bytes], *, began_s: int) -> Coverage:
    """Return the coverage that the pages tell, the base first.

    Args:
        pages: from :func:`encode_coverage`.
        began_s: when coverage begins where there is no page yet, seconds since the epoch.

    Raises:
        ContractError: octets that are not a page.
    """
    coverage = Coverage(began_s)
    for octets in pages:
        _lay(coverage, octets)
    coverage.changed.clear()
    return coverage


def _lay(coverage: Coverage, octets: bytes) -> None:
    if len(octets) < _HEAD.size:
        raise ContractError(f"coverage page: {len(octets)} octets, the header alone has {_HEAD.size}")
    magic, coverage.began_s, coverage.today, meters, pages = _HEAD.unpack_from(octets)
    if magic != MAGIC or meters > MAX_METERS or pages > MAX_PAGES:
        raise ContractError(f"coverage page: magic {magic.hex()}, {meters} meters at offset 0")
    plain = _inflate(octets[_HEAD.size :], meters * _METER_OCTETS + pages * _PAGE_OCTETS)
    columns, at = {}, 0
    for name, kind in _METER:
        columns[name] = np.frombuffer(plain, kind, meters, at)
        at += columns[name].nbytes
    number = coverage.numbers(columns["title"].astype(np.uint64))
    for name, _ in _METER[1:]:
        column = getattr(coverage, name)
        column[number] = columns[name].astype(column.dtype)
    owner = np.frombuffer(plain, "<u4", pages, at)
    day = np.frombuffer(plain, "<u4", pages, at + 4 * pages).astype(np.int64)
    bits = np.frombuffer(plain, np.uint8, pages * KINDS * DAY_OCTETS, at + 8 * pages)
    _replace_pages(coverage, number, number[owner] << DAY_BITS | day, bits)


def _replace_pages(coverage: Coverage, number: I64, key: I64, bits: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    kept = ~np.isin(coverage.key >> DAY_BITS, number)
    keys = np.concatenate([coverage.key[kept], key])
    every = np.concatenate([coverage.bits[kept], bits.reshape(len(key), KINDS, DAY_OCTETS)])
    order = np.argsort(keys)
    coverage.key, coverage.bits = keys[order], every[order]


def _inflate(octets: bytes, length: int) -> bytes:
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(octets, length + 1)
    except zlib.error as error:
        raise ContractError("coverage page: damaged") from error
    if len(plain) != length or not reader.eof or reader.unused_data:
        raise ContractError(f"coverage page: {len(plain)} octets, expected {length}")
    return plain
