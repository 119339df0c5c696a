"""Find thousands of words in a hundred megabytes: in the clear and in the forms in which programs write them.

Each word is looked for as it is, in any case, in UTF-16, hexadecimal, Base64 at each of its three offsets, and
backwards. Eight octets of a form are hashed into a table of bits that all places of the text are looked up in at once;
the few that are in it are compared whole.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

HEAD = 8
"""Octets of a form that are hashed; a form is at least this long."""
_BITS = 22
_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)
U64 = npt.NDArray[np.uint64]


def text_forms(word: bytes) -> Iterator[bytes]:
    """Yield the ways in which a text may be written, in lower case.

    >>> list(text_forms(b"Ab"))[:3]
    [b'ab', b'a\\x00b\\x00', b'\\x00a\\x00b']
    """
    text = word.decode().lower()
    yield from (text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text[::-1].encode())
    for spelled in sorted({word, text.encode()}):
        yield from printed_forms(spelled)


def printed_forms(octets: bytes) -> Iterator[bytes]:
    """Yield octets as programs print them, in lower case: hexadecimal, and Base64 at each of its three offsets."""
    yield octets.hex().encode()
    for before in range(3):
        for spell in (base64.b64encode, base64.urlsafe_b64encode):
            # The characters at either end depend on the neighbours and are left off.
            yield spell(bytes(before) + octets)[(before * 8 + 5) // 6 : (before + len(octets)) * 8 // 6].lower()


@dataclass(slots=True)
class Finder:
    """Words to look for, by what they are.

    Args:
        words: texts, by name.
        numbers: octets of any kind, by name.
    """

    words: Mapping[str, bytes]
    numbers: Mapping[str, bytes] = field(default_factory=dict)
    _heads: dict[int, list[tuple[str, bytes]]] = field(default_factory=dict)
    _raw: dict[int, list[tuple[str, bytes]]] = field(default_factory=dict)
    _table: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1 << _BITS, np.bool_))

    def __post_init__(self) -> None:
        for name, word in self.words.items():
            for form in set(text_forms(word)):
                self._add(self._heads, name, form)
        for name, number in self.numbers.items():
            for form in set(printed_forms(number)):
                self._add(self._heads, name, form)
            # Octets that are no text are compared as they are.
            for form in (number, number[::-1]):
                self._add(self._raw, name, form)

    def _add(self, heads: dict[int, list[tuple[str, bytes]]], name: str, form: bytes) -> None:
        if len(form) < HEAD:
            return
        head = int.from_bytes(form[:HEAD], "little")
        heads.setdefault(head, []).append((name, form))
        self._table[_hashed(np.array([head], np.uint64))] = True

    def names_in(self, octets: bytes) -> set[str]:
        """Return the names of the words that occur."""
        return self._scan(octets.lower(), self._heads) | self._scan(octets, self._raw)

    def _scan(self, octets: bytes, heads: dict[int, list[tuple[str, bytes]]]) -> set[str]:
        found: set[str] = set()
        for shift in range(min(HEAD, len(octets))):
            count = (len(octets) - shift) // HEAD
            values = np.frombuffer(octets, "<u8", count, shift)
            for place in np.flatnonzero(self._table[_hashed(values)]).tolist():
                at = shift + place * HEAD
                for name, form in heads.get(int(values[place]), ()):
                    if octets.startswith(form, at):
                        found.add(name)
        return found


def _hashed(values: U64) -> npt.NDArray[np.int64]:
    return (values * _ODD >> np.uint64(64 - _BITS)).astype(np.int64)
