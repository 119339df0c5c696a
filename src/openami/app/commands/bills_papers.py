"""``openami bills explain|rebuild|statement``: a bill's proof, the bill made again, and its document."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption
from openami.kernel.time import zone_named

if TYPE_CHECKING:
    from openami.app.billing.papers_desk import Explained, PapersDesk

BillArgument = Annotated[UUID, typer.Argument(metavar="BILL", help="Number of the bill, as printed on it.")]
DayOption = Annotated[
    datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="Down to the raw readings of this billed day.")
]
SegmentsOption = Annotated[
    Path | None, typer.Option("--segments", help="Folder of the gateway's segments: down to the sealed frames, too.")
]
ENDS = (
    "The proof ends at the sealed frame: whoever holds the meter's key opens it with `openami decode`.",
    "A gateway keeps its segments for 45 days; the digests of older ones stay in its index.",
    "A reading from a file, by hand or loaded in bulk has no frame: it ends at the number of what brought it.",
)


def explain(
    bill: BillArgument,
    login: LoginOption,
    day: DayOption = None,
    segments: SegmentsOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Prove a bill: lines, clauses, days and their versions, findings; readings and sealed frames of one day."""
    from openami.billing.proof.document import proof_document

    person, desk = person_of(login), _desk(home)
    found = asyncio.run(desk.explain(person, bill))
    zone = zone_named(found.bill.zone)
    document: dict[str, Any] = {
        "bill": str(bill),
        "total": str(found.bill.total),
        "made_again": None if found.rebuilt is None else list(found.rebuilt.differences),
        "same_document": found.same_bytes,
        "proof": proof_document(found.proof, zone),
    }
    if day is not None:
        document |= asyncio.run(_of_day(desk, person, bill, day.date(), segments, zone))
    document["ends"] = [*found.proof.ends, *ENDS]
    if json_output:
        print(json.dumps(document))
    else:
        _show(found, document)
    raise typer.Exit(1 if document["made_again"] else 0)


async def _of_day(
    desk: PapersDesk, person: Any, bill: UUID, day: date, segments: Path | None, zone: Any
) -> dict[str, Any]:
    from openami.billing.proof.document import proof_document

    if segments is None:
        return {"readings": proof_document(await desk.readings(person, bill, day), zone)}
    readings, search = await desk.frames(person, bill, day, segments)
    frames = [f for group in search.found.values() for f in group]
    return {
        "readings": proof_document(readings, zone),
        "frames": proof_document(frames, zone),
        "segments_read": search.segments,
        "segments_damaged": list(search.damaged),
    }


def rebuild(
    bill: BillArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Make a bill again from what was known when it was made. Exits 1 where anything differs."""
    found = asyncio.run(_desk(home).explain(person_of(login), bill))
    differences = ["it is held: there is nothing to make again"] if found.rebuilt is None else []
    differences += list(found.rebuilt.differences) if found.rebuilt else []
    if json_output:
        print(json.dumps({"bill": str(bill), "differences": differences, "same_document": found.same_bytes}))
    else:
        for words in differences:
            print(words)
        if not differences:
            print(f"{bill} made again: every figure, line and read is as kept")
        print("the document is the same, byte for byte" if found.same_bytes else "the document is not the same")
    raise typer.Exit(1 if differences or not found.same_bytes else 0)


def why(
    place: Annotated[UUID, typer.Argument(metavar="PLACE", help="Id of the service point.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Say why a place is not billed: the first link that stops it, since when, whose move, the one act."""
    from openami.app.billing.hold_desk import HoldDesk
    from openami.app.settings import Settings
    from openami.billing.cycle.blocked import Stands
    from openami.billing.proof.document import proof_document

    found = asyncio.run(HoldDesk(Settings.load(home)).not_billed(person_of(login), place))
    stops = any(link.stands is Stands.STOPS for link in found.chain)
    if json_output:
        print(json.dumps(proof_document(found, zone_named("UTC"))))
    else:
        print(found.headline)
        for link in found.chain:
            print(f"  {link.stands.value:<6} {link.title}: {link.words}")
        if found.owner:
            print(f"The move of {found.owner}: {found.action}")
        if found.waiting_days:
            worth = "" if found.waiting_amount is None else f", about {found.waiting_amount} {found.currency}"
            print(f"{found.waiting_days} days wait{worth}")
    raise typer.Exit(1 if stops else 0)


def call(
    bill: BillArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Answer a call about a high bill in words: what rose, by how much, and what nobody can say."""
    from openami.billing.proof.document import proof_document

    found = asyncio.run(_desk(home).answer(person_of(login), bill))
    if json_output:
        print(json.dumps(proof_document(found, zone_named("UTC"))))
        return
    print(found.headline)
    print(found.against)
    for part in found.parts:
        print(f"  {part.amount:>12}  {part.title}: {part.words}")
    print(found.hours_words)
    for day in found.days:
        print(f"  {day.day}: {day.wh / 1000:,.1f} kWh, such days had {day.usual_wh / 1000:,.1f}")
    for said in found.said:
        print(f"{said.title}: {said.words}")
    if found.weather.note:
        print(found.weather.note)


def statement(
    bill: BillArgument,
    login: LoginOption,
    out: Annotated[Path, typer.Option("--out", help="Where the PDF is written; an existing file is replaced.")],
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Write a bill's document as it went out: PDF/UA-1, without name and address."""
    from hashlib import sha256

    octets = asyncio.run(_desk(home).pdf(person_of(login), bill))
    out.write_bytes(octets)
    digest = sha256(octets).hexdigest()
    if json_output:
        print(json.dumps({"bill": str(bill), "file": str(out), "octets": len(octets), "sha256": digest}))
    else:
        print(f"{out}: {len(octets):,} octets, sha256 {digest}")


def _desk(home: Path) -> PapersDesk:
    from openami.app.billing.papers_desk import PapersDesk
    from openami.app.settings import Settings

    return PapersDesk(Settings.load(home))


def _show(found: Explained, document: dict[str, Any]) -> None:
    from openami.app.commands.bill_explain import show_explanation

    console = Console(markup=False)
    bill = found.bill
    console.print(f"Bill {bill.bill_id}: {bill.span.first} to {bill.span.last}, {bill.rate_name}, {bill.total}")
    if found.rebuilt is not None:
        same = "the same to every figure" if found.rebuilt.is_same else "; ".join(found.rebuilt.differences)
        paper = "and to every byte of its document" if found.same_bytes else "but its document differs"
        console.print(f"Made again from what was known on {bill.made_at:%Y-%m-%d %H:%M} UTC: {same} {paper}")
    show_explanation(console, document["proof"]["lines"])
    _show_days(document["proof"])
    for row in document.get("frames", []):
        console.print(
            f"frame {row['counter']} of {row['system_title']}: {row['segment']}, batch {row['batch']}, stream "
            f"{row['stream_sequence']}, collector {row['collector']} no. {row['sequence']}, sha256 {row['sha256']}"
        )
    for words in document["ends"]:
        console.print(words, style="dim")


def _show_days(proof: dict[str, Any]) -> None:
    table = Table(title="Days that were billed", title_justify="left")
    for name in ("day", "version", "known since", "Wh", "intervals", "measured", "estimated", "newest", "findings"):
        table.add_column(name, justify="left" if name in {"day", "known since", "findings"} else "right")
    for day in proof["days"]:
        said = [f["rule"] for f in proof["findings"] if f["day"] == day["day"]]
        newest = str(day["latest"]) if day["latest"] > day["version"] else ""
        table.add_row(
            day["day"], str(day["version"]), day["known_at"], f"{day['wh']:,}", str(day["intervals"]),
            str(day["measured"]), str(day["estimated"]), newest, ", ".join(said),
        )  # fmt: skip
    print_wide(table, columns=110)
