"""Counts, on every worker of pytest, the tests of each attack that only the long runs take, and tells the first one.

A plugin by name (``-p tests.attacks.long``), so that the workers load it too; nobody imports it before pytest does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from tests.attacks.marks import LONG, rows_of

_found: Counter[str] = Counter()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count the long tests among those that are not run now."""
    for item in items:
        if item.get_closest_marker("soak") is not None:
            _found.update(rows_of(item.user_properties))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts over with what a worker says at its end."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[LONG] = dict(_found)


def found_here() -> Counter[str]:
    """Return what was counted in this process, where no workers ran."""
    return _found
