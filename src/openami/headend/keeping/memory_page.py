"""Pages of a group's memory as octets: kept beside the counter windows, so that gaps are known after any kill.

Layout: magic ``OM02``, began_s i64, today i64, meters u32, pages u32, octets of the JSON u32, CRC-32 of all this u32,
then (zlib, which has a checksum of its own) the meters' columns and their open pages, little-endian, and as JSON the
names of cells and the counts that changed. A group's state is one base and the changed meters since, laid over it in
order; a meter in a later page replaces itself, open pages and all.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Collection, Sequence

import numpy as np

from openami.contracts.errors import ContractError
from openami.headend.keeping.coverage import DAY_BITS, DAY_OCTETS, DAY_S, I64, KINDS, Coverage
from openami.headend.keeping.levels import WIDTH
from openami.headend.keeping.memory import GroupMemory

MAGIC = b"OM02"
UNCHECKED_MAGIC = b"OM01"
"""Pages of the version before, which are the same without the CRC-32: what they tell was remembered for weeks."""
MAX_METERS = 4_000_000
MAX_PAGES = 64 * MAX_METERS
MAX_TAIL_OCTETS = 16 * 1024 * 1024
"""Counts of 64 days and some thousand cells."""
_HEAD = struct.Struct("<4sqqIII")
_CHECK = struct.Struct("<I")
_COVERAGE = (("since", "<i8"), ("until", "<i8"), ("is_rostered", "u1"), ("down_s", "<i8"), ("newest", "<i8"),
             ("cell", "<i4"), ("opened", "<i4"), ("counted", "<i8"), ("finished", "<u8"))  # fmt: skip
_MIDNIGHTS = (("came", "<u8"), ("in_time", "<u8"), ("absent", "<u8"))
_CLOCKS = (("today_s", "<i8"), ("before_s", "<i8"), ("day", "<i4"))
_MEMORY = (("clock_at_s", "<i8"), ("logs_at_s", "<i8"))
_NAMES = (("title", "<u8"), ("meter_id", "V16"))
_METER = _NAMES + _COVERAGE + _MIDNIGHTS + _CLOCKS + _MEMORY
_METER_OCTETS = sum(np.dtype(kind).itemsize for _, kind in _METER)
_PAGE_OCTETS = 4 + 4 + KINDS * DAY_OCTETS
_LEVEL = 1
"""zlib's fastest: bits are long runs and shrink well at any."""


def encode_memory(memory: GroupMemory, numbers: I64, levels: Collection[tuple[int, int]]) -> bytes:
    """Return these meters and their open pages as octets.

    Args:
        memory: of a group.
        numbers: (n,) meters, in order, each once.
        levels: which counts.
    """
    memory.grow()
    coverage = memory.coverage
    rows = np.flatnonzero(np.isin(coverage.key >> DAY_BITS, numbers))
    key = coverage.key[rows]
    owner = np.searchsorted(numbers, key >> DAY_BITS)
    parts = [
        getattr(room, name)[numbers].astype(kind).tobytes()
        for room, columns in _rooms(memory)
        for name, kind in columns
    ]
    parts += [owner.astype("<u4").tobytes(), (key & (1 << DAY_BITS) - 1).astype("<u4").tobytes()]
    parts.append(coverage.bits[rows].tobytes())
    told = [[*key, *(int(n) for n in coverage.levels.counts[key])] for key in sorted(levels)]
    tail = json.dumps({"cells": memory.cells, "levels": told}).encode()
    parts.append(tail)
    head = _HEAD.pack(MAGIC, coverage.began_s, coverage.today, len(numbers), len(rows), len(tail))
    return head + _CHECK.pack(zlib.crc32(head)) + zlib.compress(b"".join(parts), _LEVEL)


def restore_memory(
    pages: Sequence[bytes], *, began_s: int, damaged: Callable[[ContractError], None] | None = None
) -> GroupMemory:
    """Return the memory that the pages tell, the base first.

    Args:
        pages: from :func:`encode_memory`.
        began_s: when coverage begins where there is no page yet, seconds since the epoch.
        damaged: hears of each page that cannot be read, which is then passed over: what it told is not known any more
            and is asked for again. None to go no further.

    Raises:
        ContractError: octets that are not a page, and nobody to tell.
    """
    memory = GroupMemory(Coverage(began_s))
    for octets in pages:
        try:
            _lay(memory, octets)
        except ContractError as error:
            if damaged is None:
                raise
            damaged(error)
    memory.coverage.changed.clear()
    memory.coverage.levels.changed.clear()
    return memory


def _rooms(memory: GroupMemory) -> tuple[tuple[object, tuple[tuple[str, str], ...]], ...]:
    return (
        (memory.coverage, _NAMES + _COVERAGE),
        (memory.midnights, _MIDNIGHTS),
        (memory.clocks, _CLOCKS),
        (memory, _MEMORY),
    )


def _lay(memory: GroupMemory, octets: bytes) -> None:
    body_at = _HEAD.size + _CHECK.size
    if len(octets) < body_at:
        raise ContractError(f"memory page: {len(octets)} octets, the header alone has {body_at}")
    coverage = memory.coverage
    magic, began_s, today, meters, pages, tail = _HEAD.unpack_from(octets)
    if magic == UNCHECKED_MAGIC:
        body_at = _HEAD.size
    elif _CHECK.unpack_from(octets, _HEAD.size) != (zlib.crc32(octets[: _HEAD.size]),):
        # A wrong day alone would say of every meter that it has received what it has not.
        raise ContractError("memory page: damaged header")
    if magic not in {MAGIC, UNCHECKED_MAGIC} or meters > MAX_METERS or pages > MAX_PAGES or tail > MAX_TAIL_OCTETS:
        raise ContractError(f"memory page: magic {magic.hex()}, {meters} meters at offset 0")
    plain = _inflate(octets[body_at:], meters * _METER_OCTETS + pages * _PAGE_OCTETS + tail)
    tail_at = len(plain) - tail
    cells, levels = _told(plain[tail_at:])
    owner = np.frombuffer(plain, "<u4", pages, meters * _METER_OCTETS)
    if pages and int(owner.max()) >= meters:
        raise ContractError("memory page: a day of a meter that it does not name")
    # Nothing is taken of a page that does not read to its end.
    # The days that began since the page before have cleared their places in every meter, and this page names but some.
    memory.roll(today * DAY_S)
    coverage.began_s, coverage.today = began_s, today
    memory.midnights.today = today + 1 if today >= 0 else -1
    columns, at = {}, 0
    for name, kind in _METER:
        columns[name] = np.frombuffer(plain, kind, meters, at)
        at += columns[name].nbytes
    number = coverage.numbers(columns["title"].astype(np.uint64), columns["meter_id"])
    memory.grow()
    for room, names in _rooms(memory):
        for name, _ in names:
            column = getattr(room, name)
            column[number] = columns[name].astype(column.dtype)
    day = np.frombuffer(plain, "<u4", pages, at + 4 * pages).astype(np.int64)
    bits = np.frombuffer(plain, np.uint8, pages * KINDS * DAY_OCTETS, at + 8 * pages)
    memory.cells = cells
    coverage.levels.counts.update(levels)
    _replace_pages(coverage, number, number[owner] << DAY_BITS | day, bits)


def _told(octets: bytes) -> tuple[list[str], dict[tuple[int, int], I64]]:
    """Return the names of cells and the counts of a page."""
    try:
        told = json.loads(octets)
        levels = {
            (int(day), int(cell)): np.array(counts, np.int64).reshape(WIDTH) for day, cell, *counts in told["levels"]
        }
        return [str(name) for name in told["cells"]], levels
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ContractError("memory page: damaged counts") from error


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
        raise ContractError("memory page: damaged") from error
    if len(plain) != length or not reader.eof or reader.unused_data:
        raise ContractError(f"memory page: {len(plain)} octets, expected {length}")
    return plain
