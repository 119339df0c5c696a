"""What the gateway refused, for the staff page: totals, and the newest frames. Needs no gateway running.

Reads what :mod:`openami.network.gateway.server` and :mod:`openami.network.gateway.quarantine` write, backwards from
the end and never more than :data:`MAX_READ_OCTETS` at once, however full the quarantine is. Blocking; run it in a
thread.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway.quarantine import QUARANTINE, QuarantineError
from openami.network.gateway.releaselog import released_ids
from openami.network.gateway.thinning import RELEASABLE

STATUS = "status.json"
COUNT_PREFIX = "refused_"
MAX_READ_OCTETS = 16 * 1024 * 1024
"""More than one file of the quarantine: enough for a page of the largest frames."""
BLOCK_OCTETS = 256 * 1024


@dataclass(frozen=True, slots=True)
class QuarantinedFrame:
    """One frame that the gateway refused, without its octets.

    Args:
        file_no, offset: where it stands in the quarantine; a larger pair is newer.
        reason: why.
        system_title: hexadecimal title that it claimed.
        collector_id, seq: who carried it, as which frame.
        collected_at_ms, refused_at_ms: when, by the collector's clock and in domain time.
        octets: how long it is.
        frame_id: what an order of release names it by, 32 hexadecimal digits; empty in files of earlier releases.
        is_released: whether it has gone to the stream since.
    """

    file_no: int
    offset: int
    reason: RefusalReason
    system_title: str
    collector_id: int
    seq: int
    collected_at_ms: int
    refused_at_ms: int
    octets: int
    frame_id: str = ""
    is_released: bool = False

    @property
    def is_releasable(self) -> bool:
        """Whether people may let it out: its reason says nothing against the frame itself."""
        return self.reason in RELEASABLE and not self.is_released and bool(self.frame_id)


def refused_counts(folder: Path) -> Counter[RefusalReason]:
    """Return how many frames were refused for each reason since the installation began; none without a gateway.

    Args:
        folder: ``gateway`` of the home.

    Raises:
        QuarantineError: the status file cannot be read.
    """
    try:
        counts = json.loads((folder / STATUS).read_bytes())["counts"]
        return Counter({r: int(counts[COUNT_PREFIX + r]) for r in RefusalReason if COUNT_PREFIX + r in counts})
    except FileNotFoundError:
        return Counter()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuarantineError(f"the gateway's status cannot be read: {type(error).__name__}") from error


def newest_refused(folder: Path, *, limit: int, before: tuple[int, int] | None = None) -> list[QuarantinedFrame]:
    """Return refused frames, newest first. A frame that came again after a lost connection is listed once.

    Args:
        folder: ``gateway`` of the home.
        limit: at most so many; fewer where :data:`MAX_READ_OCTETS` were read before.
        before: ``file_no`` and ``offset`` of a frame; only older ones are returned.

    Raises:
        QuarantineError: the disk refused.
    """
    found: dict[tuple[int, int], QuarantinedFrame] = {}
    released = released_ids(folder / QUARANTINE)
    try:
        for frame in _frames(folder / QUARANTINE, before):
            if frame.frame_id and bytes.fromhex(frame.frame_id) in released:
                frame = replace(frame, is_released=True)  # noqa: PLW2901 - the same frame, with what became of it
            found.setdefault((frame.collector_id, frame.seq), frame)
            if len(found) >= limit:
                break
    except OSError as error:
        raise QuarantineError(f"the quarantine cannot be read: {os.strerror(error.errno or 0)}") from error
    return list(found.values())


def _frames(folder: Path, before: tuple[int, int] | None) -> Iterator[QuarantinedFrame]:
    budget = MAX_READ_OCTETS
    files = {int(f.stem): f for f in folder.glob("*.jsonl") if f.stem.isdecimal()}
    for number in sorted(files, reverse=True):
        if budget <= 0 or (before is not None and number > before[0]):
            continue
        try:
            size = files[number].stat().st_size
        except FileNotFoundError:
            # Pushed out by newer ones while we looked.
            return
        end = min(size, before[1]) if before is not None and number == before[0] else size
        for offset, line in _lines_backwards(files[number], end, budget):
            frame = _parse(number, offset, line)
            if frame is not None:
                yield frame
        budget -= end


def _lines_backwards(file: Path, end: int, budget: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines and their offsets, the last first; what stands behind the last line's end is being written."""
    lowest, at, rest = max(0, end - budget), end, b""
    with file.open("rb") as source:
        while at > lowest:
            step = min(BLOCK_OCTETS, at - lowest)
            at -= step
            source.seek(at)
            first, *others = (source.read(step) + rest).split(b"\n")
            offset = at + len(first) + 1
            lines = []
            for line in others:
                lines.append((offset, line))
                offset += len(line) + 1
            # The last piece is what follows the last end of a line: nothing, or a line that is not whole.
            yield from reversed(lines[:-1])
            rest = first + b"\n" if others else first
        if lowest == 0 and rest.endswith(b"\n"):
            yield 0, rest[:-1]


def _parse(number: int, offset: int, line: bytes) -> QuarantinedFrame | None:
    """Return the frame of a line, or None for a line that a kill tore."""
    try:
        row = json.loads(line)
        return QuarantinedFrame(
            file_no=number,
            offset=offset,
            reason=RefusalReason(row["reason"]),
            system_title=str(row["system_title"]),
            collector_id=int(row["collector_id"]),
            seq=int(row["seq"]),
            collected_at_ms=int(row["collected_at_ms"]),
            refused_at_ms=int(row["refused_at_ms"]),
            octets=len(row["frame"]) // 2,
            frame_id=bytes.fromhex(row.get("id", "")).hex(),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
