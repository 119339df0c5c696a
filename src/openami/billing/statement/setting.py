"""Set a statement as PDF/UA-1, byte for byte the same for the same statement.

Engine: Typst, in the process, with its embedded fonts alone: the machine's fonts, its clock and its locale are never
asked, and nothing is fetched. What is set is data; a rate's name is somebody's text and never markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

from openami.billing.statement.dates import day
from openami.billing.statement.record import Statement
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import epoch_s

STANDARDS: Any = ("ua-1", "a-2a")
_QUOTED = re.compile(r"`[^`]*`")
MOST_OCTETS = 1_000_000
"""A statement has at most some hundred lines; a larger document is a fault of ours or an attack."""


class SettingError(OpenAmiError):
    """A statement could not be set; the page shows the same statement."""


def document_of(statement: Statement) -> dict[str, Any]:
    """Return a statement as JSON values: what both drawings read."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(statement))
    for bar, tick in zip(found["bars"], ticks([b.day for b in statement.bars]), strict=True):
        bar["tick"] = tick
    return found


def ticks(chosen: Sequence[date]) -> list[str]:
    """Return what stands under each day of a chart: every fifth, the month where it is new.

    >>> ticks([date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 5)])
    ['29 Sep', '', '1 Oct', '5']
    """
    found: list[str] = []
    for index, one in enumerate(chosen):
        is_new = index == 0 or one.day == 1
        text = day(one, with_year=False).split(" ", 1)[1]
        found.append(text if is_new else str(one.day) if one.day % 5 == 0 and one.day < 30 else "")
    return found


def pdf_of(statement: Statement) -> bytes:
    """Return the statement as a tagged PDF.

    A line of name or address whose letters the fonts do not have is left out: a person of any name gets their bill.

    Raises:
        SettingError: it is too large, or it would not be PDF/UA-1.
    """
    try:
        return bytes(_set(statement, "pdf"))
    except SettingError:
        shown = tuple(line for line in statement.addressee if _can_be_set(line, statement))
        if shown == statement.addressee:
            raise
        return bytes(_set(replace(statement, addressee=shown), "pdf"))


def _can_be_set(line: str, statement: Statement) -> bool:
    try:
        _set(replace(statement, addressee=(line,)), "pdf")
    except SettingError:
        return False
    return True


def picture_of(statement: Statement, *, page: int = 0, dots_per_inch: float = 110) -> bytes:
    """Return one page as PNG, for looking at it without a reader of PDF.

    Raises:
        SettingError: as above, or there is no such page.
    """
    pages = _set(statement, "png", dots_per_inch=dots_per_inch)
    found = pages if isinstance(pages, list) else [pages]
    if page >= len(found):
        raise SettingError(f"the statement has {len(found)} pages; page {page + 1} was asked for")
    return bytes(found[page])


def _set(statement: Statement, form: Any, *, dots_per_inch: float | None = None) -> Any:
    # The engine is 40 MB: whoever only prices a file never loads it.
    import typst

    try:
        text = orjson.dumps(document_of(statement)).decode()
    except TypeError as error:
        raise SettingError("the statement cannot be set: a text of it is no Unicode") from error
    if len(text) > MOST_OCTETS:
        raise SettingError(f"the statement is {len(text)} octets, the limit is {MOST_OCTETS}")
    template, fonts = _tools()
    try:
        # A compiler keeps what it was given by name only, so each statement has one of its own; the fonts are shared.
        return typst.Compiler(template, font_paths=fonts, ignore_system_fonts=True).compile(
            format=form,
            sys_inputs={"statement": text},
            pdf_standards=list(STANDARDS) if form == "pdf" else [],
            timestamp=epoch_s(statement.made_at),
            ppi=dots_per_inch,
        )
    except typst.TypstError as error:
        # What is quoted there is a piece of the statement: a name, perhaps, which no error repeats.
        raise SettingError(f"the statement cannot be set: {_QUOTED.sub('...', error.message)[:200]}") from error


@lru_cache(maxsize=1)
def _tools() -> tuple[bytes, Any]:
    import typst

    template = (files("openami.billing.statement") / "statement.typ").read_bytes()
    return template, typst.Fonts(include_system_fonts=False)
