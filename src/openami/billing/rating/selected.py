"""Which lines a percentage or a minimum is of: by kind, by the name of a charge or price period, or by a code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from openami.billing.rating.line import LineKind


class Named(Protocol):
    """What a line is chosen by: one bill's line, or a line of a whole fleet's bills."""

    @property
    def kind(self) -> LineKind:
        """What it charges for."""

    @property
    def clause(self) -> str:
        """Where in the rate its price stands."""


_Line = TypeVar("_Line", bound=Named)
_NAME = re.compile(r"^versions\[\d+\]\.[a-z]+\[(.*?)\](?:\.|$)")


def selected(lines: Sequence[_Line], of: Iterable[str]) -> list[_Line]:
    """Return the lines that some words name, in their order."""
    wanted = set(of)
    return [line for line in lines if line.kind.value in wanted or _name_of(line) in wanted]


def _name_of(line: Named) -> str | None:
    """Return the name of the charge, period or code that the line's clause holds."""
    found = _NAME.match(line.clause)
    return found.group(1) if found else None
