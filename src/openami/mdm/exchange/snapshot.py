"""A snapshot: what one side believes of every service point at one instant; both sides write the same file.

Only fields that are in the file's header are compared: the other system need not know everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import check_tail, flat_text, head_of, lines_of
from openami.mdm.exchange.record import FIELDS, FieldError, identifier

HEAD = "openami snapshot 1"
MAX_PLACES = 2_000_000
COLUMNS = ("premise", "meter", "multiplier", "account", "rate", "bill_group", "state", "reading")
"""What both sides may know of a place; an empty text is nothing."""
_READERS = {**{n: FIELDS[n] for n in COLUMNS if n in FIELDS}, "multiplier": FIELDS["constant"]}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One side's view.

    Args:
        sender: whose.
        id: its number.
        at: the instant that it speaks of.
        fields: which of :data:`COLUMNS` it tells.
        places: values by field, by service point.
        twice: service points that it lists more than once; the first stands.
    """

    sender: str
    id: str
    at: datetime
    fields: tuple[str, ...]
    places: Mapping[str, Mapping[str, str]]
    twice: tuple[str, ...] = ()


def parse_snapshot(octets: bytes) -> Snapshot:
    """Read another system's snapshot.

    Raises:
        MessageRefusedError: it is not whole, or a cell cannot be read; a snapshot is compared whole or not at all.
    """
    lines = lines_of(octets)
    sender, number, at = head_of(lines, HEAD)
    line, header = next(lines, (0, []))
    fields = tuple(header[1:])
    if header[:1] != ["service_point"] or not fields or not set(fields) <= set(COLUMNS):
        raise MessageRefusedError(line, f"the second line is not service_point and some of {', '.join(COLUMNS)}")
    if len(set(fields)) != len(fields):
        raise MessageRefusedError(line, "a field is there twice")
    places: dict[str, dict[str, str]] = {}
    twice: list[str] = []
    for count, (where, row) in enumerate(lines):
        if row[0] == "end":
            check_tail(where, row, count, lines)
            return Snapshot(sender, number, at, fields, places, tuple(twice))
        if len(row) != len(header):
            raise MessageRefusedError(where, f"has {len(row)} cells, the header {len(header)}")
        if count >= MAX_PLACES:
            raise MessageRefusedError(where, f"over {MAX_PLACES} places")
        name, values = _place(where, row, fields)
        if name in places:
            twice.append(name)
        else:
            places[name] = values
    raise MessageRefusedError(0, "the file has no end line: it was cut short; send it again")


def flat_snapshot(found: Snapshot) -> str:
    """Return a snapshot as a file."""
    rows: Iterable[tuple[str, ...]] = (
        (name, *(values.get(f, "") for f in found.fields)) for name, values in sorted(found.places.items())
    )
    head = (HEAD, found.sender, found.id, found.at.isoformat())
    return flat_text(head, ("service_point", *found.fields), rows)


def _place(line: int, row: list[str], fields: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    try:
        values = {f: str(_READERS[f](t)) if t else "" for f, t in zip(fields, row[1:], strict=True)}
        return identifier(row[0]), values
    except FieldError as error:
        raise MessageRefusedError(line, str(error)) from error
