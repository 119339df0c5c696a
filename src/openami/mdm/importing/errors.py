"""The one error of imported files: a file lands whole or not at all, and the refusal names the line."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class FileRefusedError(OpenAmiError):
    """A file cannot be imported.

    Args:
        line: line of the file from 1; 0 where the cause is the file as a whole.
        cause: what is wrong and what would mend it; holds no reading.
    """

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}" if line else cause)
        self.line = line
        self.cause = cause
