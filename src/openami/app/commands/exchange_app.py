"""What the commands of ``openami exchange`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from openami.mdm.exchange.acknowledgement import Answer

app = typer.Typer(help="Exchange files and messages with a customer information system.", no_args_is_help=True)
OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; standard output without.")]
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]


def answer_row(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON shows it."""
    return {
        "record": answer.kind, "id": answer.id, "line": answer.line, "result": answer.result.value,
        "code": answer.code, "reason": answer.reason, "days": answer.days, "bills": answer.bills,
    }  # fmt: skip
