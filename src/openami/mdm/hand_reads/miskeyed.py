"""What a reader may have meant: one digit wrong, two digits changed about, one missing or one too many. Pure."""

from __future__ import annotations

from collections.abc import Iterator

MAX_CANDIDATES = 5


def candidates(shown: int, *, digits: int) -> Iterator[int]:
    """Yield other values that one slip turns into what was written, each once.

    Args:
        shown: what was written, in units of the display.
        digits: how many the display has.

    >>> 1324 in set(candidates(1234, digits=5)), 1284 in set(candidates(1234, digits=5))
    (True, True)
    """
    text = str(shown).zfill(digits)
    seen = {shown}
    for other in (*_substituted(text), *_transposed(text), *_one_more(text, digits), *_one_less(text)):
        value = int(other)
        if value not in seen and len(other.lstrip("0")) <= digits:
            seen.add(value)
            yield value


def _substituted(text: str) -> Iterator[str]:
    for place, digit in enumerate(text):
        for other in "0123456789":
            if other != digit:
                yield text[:place] + other + text[place + 1 :]


def _transposed(text: str) -> Iterator[str]:
    for place in range(len(text) - 1):
        yield text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _one_more(text: str, digits: int) -> Iterator[str]:
    """Yield values of which one digit was left out."""
    bare = text.lstrip("0") or "0"
    if len(bare) >= digits:
        return
    for place in range(len(bare) + 1):
        for other in "0123456789":
            yield bare[:place] + other + bare[place:]


def _one_less(text: str) -> Iterator[str]:
    """Yield values into which one digit was written twice or too much."""
    bare = text.lstrip("0") or "0"
    for place in range(len(bare)):
        yield (bare[:place] + bare[place + 1 :]) or "0"
