"""The exchange's folders: what another system drops is taken, answered and put away; at night both sides are compared.

``in`` holds what came, ``out`` what is answered, ``in/done`` and ``in/refused`` what was taken and what was not. A file
is put away after it is answered, so a crash answers it again and changes nothing: messages are taken once. Names that
begin with a dot or end in ``.part`` are still being written and left alone.

A file's name is the other system's: it is cut and made readable before an answer or the log has it. One file that
cannot be worked off does not hold up those behind it.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog

from openami.app.commands.intervals import octets_of
from openami.app.exchange.exchange_desk import answer_text, take
from openami.app.exchange.exchange_night import reconcile
from openami.app.exchange.exchange_out import acknowledged, by_request
from openami.app.settings import Settings
from openami.kernel.errors import OpenAmiError
from openami.mdm.api import StoreError
from openami.mdm.exchange import acknowledgement, requests, snapshot
from openami.mdm.exchange.cim.asking import NOUN
from openami.mdm.exchange.flat import harmless

_LOG = structlog.get_logger("exchange")
MAX_FILES = 1000
"""Files in one pass: the next pass takes the rest."""
MAX_NAME_OCTETS = 160
"""Of a name that is kept as it is: an answer's is longer by its ending, and a folder takes 255."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of one file.

    Args:
        name: the file's.
        kind: what it was.
        is_clean: nothing was rejected, held, refused or different.
        told: counts, or why it was refused.
    """

    name: str
    kind: str
    is_clean: bool
    told: str


async def work_off(settings: Settings, inbox: Path, outbox: Path) -> list[Handled]:
    """Take every file of the inbox, in order of their names, and write the answers to the outbox.

    Raises:
        OSError: a folder cannot be made or read.
        Exception: the first of what no file should cause (a bug, a database that is away), after all others were taken.
    """
    found, failures = [], []
    for file in waiting_files(inbox)[:MAX_FILES]:
        try:
            found.append(await _handle(settings, file, outbox))
        except Exception as failure:  # noqa: BLE001 - a file is an edge: it stays, and what lies behind it goes on
            failures.append(failure)
    if failures:
        raise failures[0]
    return found


def waiting_files(inbox: Path) -> list[Path]:
    """Return the whole files of an inbox by name, its folders made where they are missing."""
    for folder in (inbox, inbox / "done", inbox / "refused"):
        folder.mkdir(parents=True, exist_ok=True)
    return [f for f in sorted(inbox.iterdir()) if f.is_file() and not f.is_symlink() and _is_whole(f.name)]


async def _handle(settings: Settings, file: Path, outbox: Path) -> Handled:
    name = shown_name(file)
    try:
        return await _worked_off(settings, file, name, outbox)
    except StoreError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    # Nothing is wrong with the message: it stays where it is and is tried again.
    _LOG.warning("exchange.left", file=name, reason=reason)
    return Handled(name, "left", is_clean=False, told=reason)


async def _worked_off(settings: Settings, file: Path, name: str, outbox: Path) -> Handled:
    try:
        octets = octets_of(file)
        kind, work = _work_of(octets)
        found = await work(settings, octets, name, outbox)
    except StoreError:
        raise
    except OpenAmiError as error:
        found = Handled(name, "refused", is_clean=False, told=str(error))
        write_whole(outbox / f"{name}.refused.txt", f"{error}\n")
        _put_away(file, "refused")
        _LOG.warning("exchange.refused", file=name, reason=str(error))
        return found
    _put_away(file, "done")
    _LOG.info("exchange.taken", file=name, kind=kind, clean=found.is_clean, told=found.told)
    return found


def shown_name(file: Path) -> str:
    """Return a file's name as answers and logs have it: printable, and short enough for an ending.

    >>> shown_name(Path("in/2026-11.csv")), len(shown_name(Path("in") / ("9" * 255))) <= MAX_NAME_OCTETS
    ('2026-11.csv', True)
    """
    octets = os.fsencode(file.name)
    name = octets.decode("utf-8", "backslashreplace").replace("\\", "_")
    name = "".join(c if c.isprintable() else "_" for c in name)
    if len(name.encode()) > MAX_NAME_OCTETS or name.encode() != octets:
        short = name.encode()[: MAX_NAME_OCTETS - 20].decode(errors="ignore")
        return f"{short}-{sha256(octets).hexdigest()[:16]}"
    return name


Work = Callable[[Settings, bytes, str, Path], Awaitable[Handled]]


def _work_of(octets: bytes) -> tuple[str, Work]:
    """Return what a file is, by its first line, and what is done with it."""
    head = octets[:64].lstrip(b"\xef\xbb\xbf \r\n\t")
    for form, kind, work in (
        (requests.REQUEST, "request", _answer),
        (acknowledgement.HEAD, "acknowledgement", _acknowledge),
        (snapshot.HEAD, "snapshot", _compare),
    ):
        if head.startswith(form.encode()):
            return kind, work
    is_asking = head.startswith(b"<") and NOUN.encode() in octets[:65_536]
    return ("request", _answer) if is_asking else ("master data", _take)


async def _take(settings: Settings, octets: bytes, name: str, outbox: Path) -> Handled:
    message, found = await take(settings, octets, accept_billed=None)
    suffix = "xml" if message.form == "cim" else "csv"
    write_whole(outbox / f"{name}.acknowledgement.{suffix}", answer_text(message, found))
    counts = found.counts
    return Handled(name, "master data", not (counts["rejected"] or counts["held"]), _counted(counts))


async def _answer(settings: Settings, octets: bytes, name: str, outbox: Path) -> Handled:
    found = await by_request(settings, None, octets)
    suffix = "xml" if found.text.startswith("<") else "csv"
    write_whole(outbox / f"{found.message}.{suffix}", found.text)
    if found.rejected:
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows(
            (harmless(a.id), a.code, harmless(a.reason)) for a in found.rejected
        )
        write_whole(outbox / f"{name}.rejected.csv", rows.getvalue())
    is_clean = not found.rejected and not found.states["held"]
    return Handled(name, "request", is_clean, _counted(found.states | {"rejected": len(found.rejected)}))


async def _acknowledge(settings: Settings, octets: bytes, name: str, _: Path) -> Handled:
    found, strange = await acknowledged(settings, octets)
    counts = found.counts | {"not_ours": len(strange)}
    is_clean = not (strange or counts["rejected"] or counts["held"])
    return Handled(name, "acknowledgement", is_clean, _counted(counts))


async def _compare(settings: Settings, octets: bytes, name: str, outbox: Path) -> Handled:
    night = await reconcile(settings, octets)
    write_whole(outbox / f"{name}.differences.csv", night.text)
    told = _counted({"equal": night.found.equal, **night.found.counts})
    return Handled(name, "snapshot", night.is_clean, told)


def _put_away(file: Path, folder: str) -> None:
    """Move a file out of the inbox; an earlier one of the same name gives way to it, for its message is kept."""
    file.replace(file.parent / folder / file.name)


def _is_whole(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".part")


def write_whole(path: Path, text: str) -> None:
    """Write a file under its name only when it is whole; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "nothing"
