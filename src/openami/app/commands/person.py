"""What commands of people share: the password of whoever acts, and tables as wide as they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from openami.app.people.desk import Person


def person_of(login: str) -> Person:
    """Ask for the password of a login."""
    from openami.app.people.desk import Person

    return Person(login, typer.prompt(f"Password of {login}", hide_input=True, err=True))


def print_wide(table: Table, *, columns: int) -> None:
    """Print a table at least that wide, on a terminal however narrow: half an id tells nobody anything."""
    console = Console(markup=False)
    console.width = max(console.width, columns)
    console.print(table)
