"""One line of text from a file that nobody else may read, such as a PIN."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from openami.kernel.errors import OpenAmiError

MAX_LINE_OCTETS = 1_024


class ClosedTextError(OpenAmiError):
    """The file cannot be read, others may read it, or its first line is empty, too long or no text."""


def read_closed_line(path: Path) -> str:
    """Return the first line of a file of ours alone, without its end.

    Raises:
        ClosedTextError: see there; the text shows nothing of the line.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ClosedTextError(f"{path} is open to group or others: chmod 0400 it")
            line = file.read(MAX_LINE_OCTETS + 1).split(b"\n", 1)[0].rstrip(b"\r")
            text = line.decode()
    except OSError as error:
        raise ClosedTextError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ClosedTextError(f"{path} is not UTF-8 text") from None
    if not text or len(line) > MAX_LINE_OCTETS:
        raise ClosedTextError(f"{path}: its first line has {len(line)} octets, expected 1 to {MAX_LINE_OCTETS}")
    return text
