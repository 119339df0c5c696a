"""What came of one operation with one peer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a cell of the matrix came out."""

    OK = "ok"
    NOTED = "noted"
    """A weakness of the peer that is known and written down; it says nothing against us."""
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        peer: name and version of the library.
        way: who asks whom, over what.
        operation: what was tried.
        outcome: what came of it.
        detail: what was seen, or why it failed.
    """

    peer: str
    way: str
    operation: str
    outcome: Outcome
    detail: str = ""


def ok(peer: str, way: str, operation: str, *, holds: bool, detail: str = "") -> Cell:
    """Return a cell that is well where something holds."""
    return Cell(peer, way, operation, Outcome.OK if holds else Outcome.FAILED, detail)
