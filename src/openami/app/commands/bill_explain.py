"""``openami bill --explain``: each line of a bill down to the intervals of the file, and where the proof ends."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from openami.billing.rating.line import RatedBill
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import Usage
from openami.billing.tariff.model import RateSchedule

DAYS_IN_A_ROW = 3
"""So many fit a terminal of 80 columns."""


def explanation(
    schedule: RateSchedule, rated: RatedBill, usage: Usage, zone: ZoneInfo, terms: BillTerms = NO_TERMS
) -> list[dict[str, Any]]:
    """Return the proof of each line of one bill as JSON values.

    Raises:
        TariffError: as the bill itself would.
    """
    from openami.billing.proof.document import proof_document
    from openami.billing.proof.lines import priced, prove_lines

    intervals = priced(schedule, usage, rated.span, zone, terms)
    proofs = prove_lines(schedule, rated.lines, rated.determinants, intervals)
    found: list[dict[str, Any]] = proof_document(proofs, zone)
    return found


def sources(files: Mapping[str, Path | None]) -> dict[str, Any]:
    """Return what the proof ends at: the files that were given, named by their digests.

    Args:
        files: by what they are; None where none was given.
    """
    given = {kind: {"name": f.name, "sha256": _digest(f)} for kind, f in files.items() if f is not None}
    return given | {"ends": "The proof ends at these files: what stands behind them is for whoever made them to show."}


def show_explanation(console: Console, lines: Sequence[dict[str, Any]]) -> None:
    """Print each line's proof."""
    for line in lines:
        clause = line["clause"]
        console.print(f"{line['number']}. {line['name']}: {line['formula']}")
        since = f", in force from {clause['effective_from']}" if clause["effective_from"] else ""
        console.print(f"   clause   {clause['path']}{since}")
        for title in ("provenance", "confidence"):
            for key, words in clause[title].items():
                console.print(f"   {title:<10} {key}: {words}", style="dim")
        if line["window"]:
            window = line["window"]
            parts = " + ".join(str(wh) for wh in window["intervals_wh"])
            console.print(f"   window   from {window['start']}: {parts} Wh, mean {window['watts'] / 1000:,.3f} kW")
        if line["metered_wh"] is not None:
            _show_days(console, line)
        if line["note"]:
            console.print(f"   note     {line['note']}")


def _show_days(console: Console, line: dict[str, Any]) -> None:
    days = line["days"]
    count = sum(d["intervals"] for d in days)
    estimated = sum(d["estimated"] for d in days)
    mark = f", {estimated} of them estimated" if estimated else ""
    console.print(f"   metered  {line['metered_wh']:,} Wh in {count:,} intervals of {len(days)} days{mark}")
    cells = [f"{day['day']} {day['wh']:,}{'*' if day['estimated'] else ''}" for day in days]
    for at in range(0, len(cells), DAYS_IN_A_ROW):
        console.print(f"            {'  '.join(cells[at : at + DAYS_IN_A_ROW])}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
