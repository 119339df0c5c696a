"""The one error of exchanged messages as a whole; a single record is rejected as data, with a code and a reason."""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError


class MessageRefusedError(OpenAmiError):
    """A message cannot be taken as a whole: nothing of it was.

    Args:
        line: line of the file from 1; 0 where the cause is the message as a whole.
        cause: what is wrong and what would mend it.
    """

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}" if line else cause)
        self.line = line
        self.cause = cause
