"""Processor time and memory of processes, from ``/proc``: what a measurement cost, whoever else used the machine."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_OCTETS = os.sysconf("SC_PAGE_SIZE")


def processor_s(pid: int) -> float:
    """Return the processor time that a process, its ended and its living children have used so far [s]."""
    used = sum(_ticks(pid, ended_children=True))
    for child in _children(pid):
        used += round(processor_s(child) * _TICKS_PER_S)
    return used / _TICKS_PER_S


def resident_octets(pid: int) -> int:
    """Return the resident memory of a process, octets."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_OCTETS


def _ticks(pid: int, *, ended_children: bool) -> list[int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        # It has ended meanwhile; its parent counts it then.
        return []
    return [int(f) for f in (fields[11:15] if ended_children else fields[11:13])]


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
