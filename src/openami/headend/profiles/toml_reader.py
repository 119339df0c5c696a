"""Values of a profile file, read with words for what is wrong: the file, the key and the mend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from openami.contracts.event import EventKind
from openami.kernel.obis import BadObisError, Obis

MAX_CODE = 65_535
"""Event codes are unsigned of 8 or 16 bits."""
_CODES = re.compile(r"^\d{1,5}(-\d{1,5})?( *, *\d{1,5}(-\d{1,5})?)*$")
Choice = TypeVar("Choice", bound=Enum)


@dataclass(frozen=True, slots=True)
class ProfileProblem:
    """One thing wrong with a profile file.

    Args:
        file: which one.
        key: where in it, as a dotted path.
        what: what is wrong.
        mend: what to write instead.
    """

    file: str
    key: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.what}; {self.mend}"


class TomlReader:
    """Reads values of one file and gathers what is wrong.

    Every method takes the place of a value, as a dotted path, and the value; what is not as it should be becomes a
    problem and is left out of what is returned.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[ProfileProblem] = []

    def refuse(self, key: str, what: str, mend: str) -> None:
        """Note a problem."""
        self.problems.append(ProfileProblem(self.file, key, what, mend))

    def table(self, key: str, value: Any, known: frozenset[str] | None = None) -> dict[str, Any]:
        """Return a table; of ``known`` keys only, where given."""
        if not isinstance(value, dict):
            self.refuse(key, f"{type(value).__name__} where a table should stand", f"write [{key}]")
            return {}
        for name in value:
            if known is not None and name not in known:
                self.refuse(f"{key}.{name}", "unknown key", f"known are {', '.join(sorted(known))}")
        return value

    def tables(self, key: str, value: Any, known: frozenset[str]) -> list[tuple[str, dict[str, Any]]]:
        """Return the tables of a list and where each stands."""
        if not isinstance(value, list):
            self.refuse(key, f"{type(value).__name__} where tables should stand", f"write [[{key}]]")
            return []
        places = [(f"{key}[{number}]", row) for number, row in enumerate(value, 1)]
        return [(place, self.table(place, row, known)) for place, row in places]

    def obis(self, key: str, value: Any) -> Obis | None:
        """Return an OBIS code."""
        try:
            return Obis.from_text(value if isinstance(value, str) else str(value)[:40])
        except BadObisError as error:
            self.refuse(key, str(error), "write six groups, for example 1.0.1.8.0.255")
            return None

    def obis_list(self, key: str, value: Any) -> tuple[Obis, ...]:
        """Return a list of OBIS codes that is not empty."""
        if not isinstance(value, list) or not value:
            self.refuse(key, "no list of objects", 'write ["0.0.1.0.0.255", ...]')
            return ()
        found = tuple(self.obis(f"{key}[{n}]", text) for n, text in enumerate(value, 1))
        return tuple(o for o in found if o is not None)

    def obis_keys(self, key: str, value: Any) -> list[tuple[Obis, str, Any]]:
        """Return a table by OBIS code: code, place, value."""
        rows = [
            (self.obis(f"{key}.{text}", text), f"{key}.{text}", item) for text, item in self.table(key, value).items()
        ]
        return [(obis, place, item) for obis, place, item in rows if obis is not None]

    def text(self, key: str, value: Any) -> str | None:
        """Return a text of 1 to 120 characters."""
        if isinstance(value, str) and 0 < len(value) <= 120 and value.isprintable():
            return value
        self.refuse(key, "no text of 1 to 120 characters", "write it in quotes")
        return None

    def whole(self, key: str, value: Any, low: int, high: int) -> int | None:
        """Return a whole number from ``low`` to ``high``."""
        if type(value) is int and low <= value <= high:
            return value
        self.refuse(key, f"{str(value)[:40]!r} is no whole number of {low} to {high}", f"write one of {low} to {high}")
        return None

    def choice(self, key: str, value: Any, kinds: type[Choice]) -> Choice | None:
        """Return a member of an enumeration."""
        try:
            return kinds(value)
        except ValueError:
            known = ", ".join(str(k.value) for k in kinds)
            self.refuse(key, f"{str(value)[:40]!r} is not known", f"write one of {known}")
            return None

    def codes(self, key: str, value: Any, highest: int) -> dict[int, EventKind]:
        """Read ``{codes: name of an event}``; a key is one code, several with commas, or a range."""
        found: dict[int, EventKind] = {}
        for text, name in self.table(key, value).items():
            kind = self.choice(f"{key}.{text}", name, EventKind)
            numbers = _numbers(text)
            if not numbers or max(numbers) > highest:
                self.refuse(f"{key}.{text}", "no codes", f'write 44, "4, 5" or "230-249", none above {highest}')
            for number in numbers:
                if number in found:
                    self.refuse(f"{key}.{text}", f"{number} is listed twice", "keep one of them")
                if kind is not None and number <= highest:
                    found[number] = kind
        return found


def _numbers(text: str) -> list[int]:
    if not _CODES.match(text):
        return []
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if len(numbers) > MAX_CODE or int(last or first) - int(first) > MAX_CODE:
            return []
        numbers += range(int(first), int(last or first) + 1)
    return numbers
