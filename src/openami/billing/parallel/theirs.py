"""Another system's bills as a file: one row for each read, quantity and line of a bill. Parsed strictly.

``bill,service_point,rate,from,to,item,name,period,tier,quantity,unit,price,amount``: ``to`` is the first day that is
not billed any more. ``item`` is ``read`` (name ``begin`` or ``end``, period ``actual``, ``estimated`` or ``customer``,
the register as quantity), ``multiplier``, ``usage``, a kind of line, or ``total``. ``docs/billing/parallel.md`` has an
example. Nothing is guessed: a cell that is not understood refuses the file with its line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from openami.billing.rating.errors import UsageError
from openami.billing.rating.line import LineKind
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import OpenAmiError

COLUMNS = (
    "bill", "service_point", "rate", "from", "to", "item", "name", "period", "tier", "quantity", "unit", "price",
    "amount",
)  # fmt: skip
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MOST_ROWS = 5_000_000
_WH = {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}
_LARGEST = Decimal(10) ** 12
_YEARS = range(1971, 2200)
MOST_DAYS = 800
"""Of one bill: two years, and a read that came late. Every day is priced, so longer ones are refused."""


class ParallelFileError(OpenAmiError):
    """A file of bills cannot be taken; the text names the line and the mend."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class TheirRead(StrEnum):
    """What the other system says of a read."""

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class RegisterRead:
    """A register at an end of a bill [Wh], before the multiplier."""

    wh: Decimal
    kind: TheirRead


@dataclass(frozen=True, slots=True)
class TheirLine:
    """A line as the other system prints it; ``price`` None where it prints none."""

    kind: LineKind
    name: str
    period: str
    tier: int | None
    quantity: Decimal
    unit: str
    price: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TheirBill:
    """A bill of the other system.

    Args:
        bill, service_point, rate: as it calls them.
        span: local days.
        lines: in its order.
        total: what it charges.
        begin, end: its reads, or None.
        multiplier: or None.
        usage_wh: its energy, or None.
        usage_step_wh: half of what its figure resolves.
    """

    bill: str
    service_point: str
    rate: str
    span: BillSpan
    lines: tuple[TheirLine, ...]
    total: Decimal
    begin: RegisterRead | None = None
    end: RegisterRead | None = None
    multiplier: Decimal | None = None
    usage_wh: Decimal | None = None
    usage_step_wh: Decimal = Decimal("0.5")


def parse_their_bills(octets: bytes) -> list[TheirBill]:
    """Return the bills of a file, in its order.

    Raises:
        ParallelFileError: it cannot be taken; nothing of it is.
    """
    rows = csv.DictReader(io.StringIO(text_of(octets), newline=""))
    if rows.fieldnames is None or tuple(f.strip() for f in rows.fieldnames) != COLUMNS:
        raise ParallelFileError(1, f"the header must be {','.join(COLUMNS)}")
    drafts: dict[str, _Draft] = {}
    try:
        for number, row in enumerate(rows, start=2):
            if number > MOST_ROWS:
                raise ParallelFileError(number, f"more than {MOST_ROWS:,} rows: split the file by bill group")
            if None in row or None in row.values():
                raise ParallelFileError(number, f"{len(COLUMNS)} cells are needed")
            cells = {k: v.strip() for k, v in row.items()}
            _draft_of(drafts, cells, number).take(cells, number)
    except csv.Error as error:
        raise ParallelFileError(rows.line_num, f"not CSV: {str(error)[:80]}") from error
    return [d.bill() for d in drafts.values()]


def text_of(octets: bytes) -> str:
    """Return a file's text, in which nothing steers the terminal or the page that it is shown on.

    Raises:
        ParallelFileError: it is no UTF-8, or holds such a character.
    """
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParallelFileError(1, "not UTF-8: save the file as UTF-8") from error
    if found := _STEERING.search(text):
        raise ParallelFileError(text.count("\n", 0, found.start()) + 1, f"{found[0]!a} is no character of a bill")
    return text


class _Draft:
    """A bill while its rows come."""

    def __init__(self, cells: Mapping[str, str], span: BillSpan, line: int) -> None:
        self.line, self.head, self.span = line, (cells["bill"], cells["service_point"], cells["rate"]), span
        self.lines: list[TheirLine] = []
        self.reads: dict[str, RegisterRead] = {}
        self.numbers: dict[str, Decimal] = {}
        self.step_wh = Decimal("0.5")

    def take(self, cells: Mapping[str, str], line: int) -> None:
        item = cells["item"]
        if item == "read":
            if cells["name"] not in ("begin", "end") or cells["name"] in self.reads:
                raise ParallelFileError(line, f"a read's name is begin or end, each once; not {cells['name'][:20]!r}")
            kind = _word(cells["period"] or "actual", TheirRead, line, "a read's period")
            self.reads[cells["name"]] = RegisterRead(_energy(cells, line), TheirRead(kind))
        elif item in ("multiplier", "usage", "total"):
            if item in self.numbers:
                raise ParallelFileError(line, f"{item} stands twice for bill {self.head[0][:40]}")
            self.numbers[item] = self._number(item, cells, line)
        else:
            self.lines.append(_line(cells, line))

    def _number(self, item: str, cells: Mapping[str, str], line: int) -> Decimal:
        if item == "total":
            return _number(cells, "amount", line)
        if item == "multiplier":
            found = _number(cells, "quantity", line)
            if found <= 0:
                raise ParallelFileError(line, "a multiplier is above zero")
            return found
        found = _energy(cells, line)
        exponent = _number(cells, "quantity", line).as_tuple().exponent
        self.step_wh = Decimal(1).scaleb(int(exponent)) * _WH[cells["unit"]] / 2
        return found

    def bill(self) -> TheirBill:
        if "total" not in self.numbers:
            raise ParallelFileError(self.line, f"bill {self.head[0][:40]} has no total")
        return TheirBill(
            *self.head, self.span, tuple(self.lines), self.numbers["total"], self.reads.get("begin"),
            self.reads.get("end"), self.numbers.get("multiplier"), self.numbers.get("usage"), self.step_wh,
        )  # fmt: skip


def _draft_of(drafts: dict[str, _Draft], cells: Mapping[str, str], line: int) -> _Draft:
    if not cells["bill"] or not cells["service_point"]:
        raise ParallelFileError(line, "bill and service_point must be named")
    span = span_of(cells, line)
    head = (cells["bill"], cells["service_point"], cells["rate"])
    draft = drafts.setdefault(cells["bill"], _Draft(cells, span, line))
    if draft.head != head or draft.span != span:
        raise ParallelFileError(line, f"bill {cells['bill'][:40]} began on line {draft.line} with another head")
    return draft


def span_of(cells: Mapping[str, str], line: int) -> BillSpan:
    """Return the days of a row.

    Raises:
        ParallelFileError: they are no days that a bill can have.
    """
    try:
        span = BillSpan(date.fromisoformat(cells["from"]), date.fromisoformat(cells["to"]))
    except (ValueError, UsageError) as error:
        raise ParallelFileError(line, "from and to are days YYYY-MM-DD, and to is later") from error
    if span.first.year not in _YEARS or span.end.year not in _YEARS or span.days > MOST_DAYS:
        raise ParallelFileError(line, f"a bill has at most {MOST_DAYS} days, of {_YEARS[0]} to {_YEARS[-1]}")
    return span


def _line(cells: Mapping[str, str], line: int) -> TheirLine:
    kind = LineKind(_word(cells["item"], LineKind, line, "item"))
    tier = cells["tier"]
    if tier and not (tier.isascii() and tier.isdecimal() and 1 <= int(tier[:4]) <= 99):
        raise ParallelFileError(line, f"tier {tier[:10]!r} is no number from 1 to 99")
    price = _number(cells, "price", line) if cells["price"] else None
    quantity = _number(cells, "quantity", line) if cells["quantity"] else Decimal(1)
    amount = _number(cells, "amount", line)
    return TheirLine(
        kind, cells["name"], cells["period"], int(tier) if tier else None, quantity, cells["unit"], price, amount
    )


def _word(text: str, words: type[StrEnum], line: int, what: str) -> str:
    known = [w.value for w in words]
    if text not in known:
        more = "" if words is TheirRead else ", read, multiplier, usage, total"
        raise ParallelFileError(line, f"{what} {text[:20]!r} is not one of {', '.join(known)}{more}")
    return text


def _energy(cells: Mapping[str, str], line: int) -> Decimal:
    if cells["unit"] not in _WH:
        raise ParallelFileError(line, f"unit {cells['unit'][:10]!r} is not one of {', '.join(_WH)}")
    return _number(cells, "quantity", line) * _WH[cells["unit"]]


def _number(cells: Mapping[str, str], column: str, line: int) -> Decimal:
    text = cells[column]
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise ParallelFileError(line, f"{column} {text[:20]!r} is no number") from error
    if not found.is_finite() or abs(found) > _LARGEST or len(text) > 30:
        raise ParallelFileError(line, f"{column} {text[:20]!r} is no number of a bill")
    return found
