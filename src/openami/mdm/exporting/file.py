"""What a writer returns, and the one error that it raises."""

from __future__ import annotations

from dataclasses import dataclass

from openami.kernel.errors import OpenAmiError


class ExportError(OpenAmiError):
    """A file cannot be written in this format; the text says what the format has no room for."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file.

    Args:
        text: the whole file.
        intervals: how many it holds.
        held_back: what it does not hold and why, one line each.
    """

    text: str
    intervals: int
    held_back: tuple[str, ...] = ()
