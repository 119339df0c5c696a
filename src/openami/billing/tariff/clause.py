"""A place in a rate file: a value with its path, read by shape. What has another shape is refused by that path.

Every key of an object is read or refused: a clause that is silently dropped would be a price that nobody charges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from unicodedata import category

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.price import can_be_price

MAX_TEXT = 2000
MAX_ITEMS = 5000
"""No list of a rate sheet is longer; daily values of a rider for ten years fit."""
UNKNOWN = "unknown"
"""How a file says that a value exists and is not known; JSON may say null as well."""
_STEERING = frozenset({"Cc", "Cs"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_Word = TypeVar("_Word", bound=StrEnum)
_Read = TypeVar("_Read")


class Clause:
    """A value of a rate file and where it stands.

    Args:
        path: for example ``versions[2].riders[FAC].values[0]``.
        value: as parsed.
        strict: whether a key that nobody reads is refused.
    """

    __slots__ = ("_seen", "path", "strict", "value")

    def __init__(self, path: str, value: object, *, strict: bool = True) -> None:
        self.path = path
        self.value = value
        self.strict = strict
        self._seen: set[str] = set()

    def refuse(self, reason: str) -> TariffError:
        """Return the error that refuses this clause, to be raised."""
        return TariffError(self.path or "file", reason)

    def fields(self) -> Mapping[str, Any]:
        """Return the value as an object.

        Raises:
            TariffError: it is none.
        """
        if not isinstance(self.value, Mapping):
            raise self.refuse("an object is needed here")
        return self.value

    def has(self, key: str) -> bool:
        """Tell whether the object has a key that is not null."""
        return self.fields().get(key) is not None

    def at(self, key: str) -> Clause:
        """Return the clause of a key.

        Raises:
            TariffError: it is missing.
        """
        if not self.has(key):
            raise TariffError(self._under(key), "this clause is missing")
        self._seen.add(key)
        return Clause(self._under(key), self.fields()[key], strict=self.strict)

    def get(self, key: str, read: Callable[[Clause], _Read], default: _Read) -> _Read:
        """Return what a key holds, read; or the default where it is left out or null."""
        self._seen.add(key)
        return read(self.at(key)) if self.has(key) else default

    def texts_at(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a key's list of texts."""
        return self.get(key, Clause.texts, default)

    def map_at(self, key: str) -> dict[str, str]:
        """Return a key's object of texts, empty where it is left out."""
        empty: dict[str, str] = {}
        return self.get(key, Clause.text_map, empty)

    def each(self, key: str, *, named: str | None = None) -> list[Clause]:
        """Return the clauses of a list, empty where it is left out; a path names an item by one of its keys."""
        return self.at(key).items(named=named) if self.get(key, lambda _: True, False) else []

    def items(self, *, named: str | None = None) -> list[Clause]:
        """Return the items of a list."""
        if not isinstance(self.value, list) or len(self.value) > MAX_ITEMS:
            raise self.refuse(f"a list of up to {MAX_ITEMS} is needed here")
        return [
            Clause(f"{self.path}[{_item_name(item, named, i)}]", item, strict=self.strict)
            for i, item in enumerate(self.value)
        ]

    def pairs(self) -> Iterator[tuple[str, Clause]]:
        """Return the keys of an object, each with its clause, all read."""
        for key in self.fields():
            self._seen.add(key)
            if not is_plain(str(key)):
                raise self.refuse(f"the key {str(key)[:40]!a} holds a character that no page can show")
            yield str(key), Clause(f"{self.path}[{str(key)[:60]}]", self.fields()[key], strict=self.strict)

    def close(self) -> None:
        """Refuse keys that nobody read.

        Raises:
            TariffError: there is one.
        """
        unknown = sorted(str(k)[:40] for k in self.fields() if k not in self._seen)
        if unknown and self.strict:
            raise TariffError(self._under(unknown[0]), f"not a key of this clause; known are {sorted(self._seen)}")

    def text(self) -> str:
        """Return text."""
        if not isinstance(self.value, str) or len(self.value) > MAX_TEXT:
            raise self.refuse(f"text of up to {MAX_TEXT} characters is needed here")
        if not is_plain(self.value):
            raise self.refuse(f"{self.value[:40]!a} holds a character that no page can show")
        return self.value

    def number(self) -> Decimal:
        """Return an exact decimal, from text or a number, of the size that prices have."""
        if isinstance(self.value, (bool, float)) or not isinstance(self.value, (str, int, Decimal)):
            raise self.refuse("a decimal is needed here, best as text")
        try:
            number = Decimal(self.value)
            fits = can_be_price(number)
        except ArithmeticError as error:
            raise self.refuse(f"{str(self.value)[:20]!r} is not a decimal") from error
        if not fits:
            raise self.refuse(f"{str(self.value)[:20]!r} is outside what a price can be")
        return number

    def whole(self) -> int:
        """Return a whole number."""
        number = self.number()
        if number != number.to_integral_value():
            raise self.refuse(f"{number} is not a whole number")
        return int(number)

    def truth(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.refuse("true or false is needed here")
        return self.value

    def day(self) -> date:
        """Return a date, of TOML or as text."""
        if type(self.value) is date:
            return self.value
        try:
            return date.fromisoformat(self.text())
        except ValueError as error:
            raise self.refuse(f"{str(self.value)[:20]!r} is not a date; YYYY-MM-DD is") from error

    def word(self, words: type[_Word]) -> _Word:
        """Return one of the words of an enumeration."""
        text = self.text()
        if text not in set(words):
            raise self.refuse(f"{text[:40]!r} is not one of {[w.value for w in words]}")
        return words(text)

    def texts(self) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item.text() for item in self.items())

    def text_map(self) -> dict[str, str]:
        """Return an object of texts."""
        return {key: clause.text() for key, clause in self.pairs()}

    def _under(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def is_plain(text: str) -> bool:
    """Tell whether a text steers nothing: a terminal, the direction of a line, or a table that cannot hold it.

    Lines and tabs may stand in it; what a page cannot show, half a surrogate pair, and marks that turn a line may not.
    """
    return text.isprintable() or not any(category(c) in _STEERING or c in _TURNING for c in text if c not in "\n\t")


def plain_words(value: object, most: int) -> str:
    """Return a value of a record that is taken as it comes, cut, and without what :func:`is_plain` refuses."""
    words = str(value)[:most]
    return words if is_plain(words) else "".join(c if is_plain(c) else " " for c in words)


def placed(clause: Clause, make: Callable[[], _Read]) -> _Read:
    """Make a value of a clause; what the value itself refuses is named by where it stands.

    Raises:
        TariffError: as ``make`` does, with the path of the file.
    """
    try:
        return make()
    except TariffError as error:
        if error.clause.startswith(clause.path):
            raise
        raise TariffError(clause.path, f"{error.clause}: {error.reason}") from error


def _item_name(item: object, key: str | None, index: int) -> str:
    name = item.get(key) if key and isinstance(item, Mapping) else None
    return name[:60] if isinstance(name, str) and name else str(index)
