"""Read TOML that others wrote: bounded in octets, depth and dotted keys, and refused by one error whatever it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

from openami.kernel.errors import OpenAmiError

MAX_DOTS = 200
"""Between two marks of TOML. Its reader takes time by the square of a dotted key's length."""
_PART = re.compile(rb"[=\[\]{},\n]")


class TomlError(OpenAmiError):
    """A document that cannot be read as TOML; the text says why and, where the reader tells it, at which line."""


def parse_toml(octets: bytes, *, limit_octets: int, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the tables of a document.

    Args:
        octets: the document, UTF-8 with or without a byte order mark.
        limit_octets: the longest that is looked at.
        parse_float: what a number with a point becomes; money is read as Decimal.

    Raises:
        TomlError: it is too long, not UTF-8, no TOML, or made to keep its reader busy.

    >>> parse_toml(b"days = 21", limit_octets=100)
    {'days': 21}
    """
    if len(octets) > limit_octets:
        raise TomlError(f"{len(octets)} octets of TOML, the limit is {limit_octets}")
    if any(part.count(b".") > MAX_DOTS for part in _PART.split(octets)):
        raise TomlError(f"a key or text of more than {MAX_DOTS} dots")
    try:
        return tomllib.loads(octets.decode("utf-8-sig"), parse_float=parse_float)
    except UnicodeDecodeError as error:
        raise TomlError(f"not UTF-8 at octet {error.start}") from error
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise TomlError(str(error)[:200]) from error
