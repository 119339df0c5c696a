"""Reads refused frames back out of the quarantine, the oldest first, to release them. Blocking; run it in a thread."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameClass
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.quarantine import QuarantineError
from openami.network.gateway.releaselog import released_ids
from openami.network.gateway.thinning import RELEASABLE

_ID_BEGIN = b'{"id":"'
_ID_END = len(_ID_BEGIN) + 32
_UNKNOWN = f'"reason":"{RefusalReason.UNKNOWN_TITLE.value}"'.encode()
MAX_AT_ONCE = 2_000
"""Frames that are in memory between quarantine and stream: more are read when these are on their way."""


def frames_with_ids(folder: Path, ids: Collection[bytes]) -> list[RefusedFrame]:
    """Return the frames with these ids, each once, in the order in which they came.

    Args:
        folder: ``gateway/quarantine`` of the home.
        ids: 16 octets each; of more than ``MAX_AT_ONCE`` that are there, the oldest.

    Raises:
        QuarantineError: the disk refused.
    """
    wanted = {frame_id.hex().encode() for frame_id in ids}

    def may_be(line: bytes) -> bool:
        return not line.startswith(_ID_BEGIN) or line[len(_ID_BEGIN) : _ID_END] in wanted

    known = frozenset(ids)
    return _first(folder, may_be, lambda frame: frame.frame_id in known)


def frames_of_unknown(folder: Path, titles: Collection[bytes], *, but: Collection[bytes]) -> list[RefusedFrame]:
    """Return frames that were refused because their device was unknown, each once, in the order in which they came.

    Args:
        folder: ``gateway/quarantine`` of the home.
        titles: of these devices.
        but: ids of frames that are left out.

    Raises:
        QuarantineError: the disk refused.
    """

    def fits(frame: RefusedFrame) -> bool:
        is_unknown = frame.reason is RefusalReason.UNKNOWN_TITLE
        return is_unknown and frame.title in titles and frame.frame_id not in but

    return _first(folder, lambda line: _UNKNOWN in line, fits)


def unknown_titles(folder: Path, *, but: Collection[bytes], most: int) -> set[bytes]:
    """Return devices that have frames in the quarantine because they are unknown.

    Args:
        folder: ``gateway/quarantine`` of the home.
        but: ids of frames that do not count.
        most: at most so many devices.

    Raises:
        QuarantineError: the disk refused.
    """
    found: set[bytes] = set()
    for frame in _frames(folder, lambda line: _UNKNOWN in line):
        if frame.reason is RefusalReason.UNKNOWN_TITLE and frame.frame_id not in but and len(found) < most:
            found.add(frame.title)
    return found


def chosen_frames(folder: Path, *, reason: RefusalReason | None, collector_id: int | None, most: int) -> list[bytes]:
    """Return the ids of frames that two people may release, the oldest first.

    Args:
        folder: ``gateway/quarantine`` of the home.
        reason: why they were refused; None for every reason that may be released.
        collector_id: who brought them; None for all.
        most: at most so many.

    Raises:
        QuarantineError: the disk refused.
    """
    released = released_ids(folder)
    reasons = RELEASABLE if reason is None else RELEASABLE & {reason}
    found: dict[bytes, None] = {}
    for frame in _frames(folder, lambda _: True):
        if frame.reason not in reasons or collector_id not in {None, frame.collector_id}:
            continue
        if (frame_id := frame.frame_id) not in released:
            found.setdefault(frame_id)
        if len(found) >= most:
            break
    return list(found)


def _first(folder: Path, may_be: Callable[[bytes], bool], fits: Callable[[RefusedFrame], bool]) -> list[RefusedFrame]:
    # A frame may stand there twice: it came again after a connection that was lost.
    found: dict[bytes, RefusedFrame] = {}
    for frame in filter(fits, _frames(folder, may_be)):
        found.setdefault(frame.frame_id, frame)
        if len(found) >= MAX_AT_ONCE:
            break
    return list(found.values())


def _frames(folder: Path, may_be: Callable[[bytes], bool]) -> Iterator[RefusedFrame]:
    try:
        for file in sorted(f for f in folder.glob("*.jsonl") if f.stem.isdecimal()):
            try:
                source = file.open("rb")
            except FileNotFoundError:
                # Pushed out by newer ones while we looked.
                continue
            with source:
                for line in source:
                    if may_be(line) and (frame := _parse(line)) is not None:
                        yield frame
    except OSError as error:
        raise QuarantineError(f"the quarantine cannot be read: {os.strerror(error.errno or 0)}") from error


def _parse(line: bytes) -> RefusedFrame | None:
    """Return the frame of a line, or None for one that a kill tore."""
    try:
        row = json.loads(line)
        return RefusedFrame(
            collector_id=int(row["collector_id"]),
            seq=int(row["seq"]),
            reason=RefusalReason(row["reason"]),
            title=bytes.fromhex(row["system_title"]),
            collected_at_ms=int(row["collected_at_ms"]),
            octets=bytes.fromhex(row["frame"]),
            frame_class=int(row.get("frame_class", FrameClass.PROFILE)),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
