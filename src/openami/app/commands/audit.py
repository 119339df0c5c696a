"""``openami audit``: export the log of looks, check it without trusting any database, and prove one entry."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError, OpenAmiError

app = typer.Typer(help="Check the log of who looked at whose data, and prove an entry.", no_args_is_help=True)

MAX_TEXT = 64 * 1024


class NotInLogError(OpenAmiError):
    """The entry is not under the newest signed tree head (yet)."""


@app.command()
def export(file: Annotated[Path, typer.Argument(help="File to write.")], home: HomeOption = DEFAULT_HOME) -> None:
    """Write the whole log to a file that an auditor can check alone."""
    asyncio.run(_export(home, file))
    print(f"Log written to {file}; its public key is in {home / 'keys' / 'audit.pub'}.")


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An exported log; without it the running platform's.")] = None,
    key: Annotated[Path | None, typer.Option(help="The public key, from elsewhere than the log.")] = None,
    head: Annotated[Path | None, typer.Option(help="A tree head kept from an earlier check.")] = None,
    keep_head: Annotated[Path | None, typer.Option(help="Keep the newest tree head here.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Check that nothing in the log was changed, removed or reordered. Exits 1 and names the place if it was."""
    from openami.security.audit.head import read_verifier_key, verify_head
    from openami.security.audit.verify import verify_export

    place = key or home / "keys" / "audit.pub"
    if not place.is_file() or (file is not None and not file.is_file()):
        raise MisuseError(f"{place if not place.is_file() else file} is not there: give the log and --key")
    public_key = read_verifier_key(_text_of(place))
    known = verify_head(_text_of(head), public_key=public_key) if head else None
    live = asyncio.run(_live(home)) if file is None else None
    if file is None:
        report = verify_export(live.lines if live else [], public_key=public_key, known=known)
    else:
        with file.open(encoding="utf-8", errors="replace") as lines:
            report = verify_export(lines, public_key=public_key, known=known)
    lost = live.lost if live else 0
    if keep_head and live and live.note:
        keep_head.write_text(live.note)
    document: dict[str, Any] = {
        "whole": report.is_whole and lost == 0,
        "entries": report.entries,
        "heads": report.heads,
        "signed": report.signed_size,
        "unsigned": report.unsigned_tail + (live.pending if live else 0),
        "root": report.root_hex,
        "signed_at": report.signed_at.isoformat() if report.signed_at else None,
        "entries_outside_the_tree": lost,
        "findings": [{"rule": f.rule, **f.evidence} for f in report.findings],
    }
    _say(document, json_output=json_output)
    if not document["whole"]:
        raise typer.Exit(1)


@app.command()
def prove(
    entry: Annotated[UUID, typer.Argument(help="Id of an entry, as the portal shows it.")],
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Print the proof that an entry stands in the log, with the signed tree head it leads to."""
    from openami.app.web.audit import audit_log
    from openami.security.audit.head import read_verifier_key, verify_head
    from openami.security.audit.merkle import includes, leaf_hash

    async def fetch() -> Any:
        async with audit_log(home) as log:
            return await log.prove(entry)

    proof = asyncio.run(fetch())
    if proof is None:
        raise NotInLogError(f"entry {entry} is not under a signed tree head; a new one follows within a minute")
    head = verify_head(proof.note, public_key=read_verifier_key(_text_of(home / "keys" / "audit.pub")))
    is_proved = includes(
        leaf=leaf_hash(proof.body), index=proof.index, size=head.size, proof=proof.path, root=head.root
    )
    document = {
        "proved": is_proved,
        "index": proof.index,
        "size": head.size,
        "root": head.root.hex(),
        "signed_at": head.signed_at.isoformat(),
        "entry": json.loads(proof.body),
        "path": [p.hex() for p in proof.path],
        "note": proof.note,
    }
    _say(document, json_output=json_output)
    if not is_proved:
        raise typer.Exit(1)


def _text_of(file: Path) -> str:
    """Return a key's or a tree head's text, as much of it as either can have.

    Raises:
        MisuseError: it cannot be read.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as source:
            return source.read(MAX_TEXT)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class _Live:
    lines: list[str]
    pending: int
    lost: int
    note: str | None


async def _export(home: Path, file: Path) -> None:
    from openami.app.web.audit import audit_log

    temporary = file.with_name(file.name + ".new")
    async with audit_log(home) as log:
        with temporary.open("w", encoding="utf-8") as out:
            async for line in log.export():
                out.write(line)
    temporary.replace(file)


async def _live(home: Path) -> _Live:
    from openami.app.web.audit import audit_log

    async with audit_log(home) as log:
        lines = [line async for line in log.export()]
        pending, lost = await log.unsealed()
        head = await log.head()
        return _Live(lines, pending, lost, head.note if head else None)


def _say(document: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        print(json.dumps(document))
        return
    for name, value in document.items():
        print(f"{name.replace('_', ' ')}: {value}")
