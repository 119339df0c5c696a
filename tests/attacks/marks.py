"""Which attack a test is about: by its mark, ``@pytest.mark.attack("A14", "A15")``, or by its name.

``tests/conftest.py`` calls this at collection, so that ``-m attack`` finds both, and a report says it on every worker.
"""

from __future__ import annotations

import pytest
from tests.attacks.rows import OTHER_ROWS, ROWS, rows_named

PROPERTY = "attack"
LONG = "attacks_long"
"""What a worker says at its end: by row, how many tests only the long runs take."""


def mark_by_name(item: pytest.Item) -> None:
    """Note on a test the rows that it is about.

    Raises:
        pytest.UsageError: it names a row that there is not.
    """
    rows = [str(row) for mark in item.iter_markers("attack") for row in mark.args]
    rows += rows_named(item.name) if isinstance(item, pytest.Function) else []
    if not rows:
        return
    if unknown := [row for row in rows if row not in ROWS and row not in OTHER_ROWS]:
        raise pytest.UsageError(f"{item.nodeid}: no attack is called {', '.join(unknown)}; see tests/attacks/rows.py")
    item.add_marker(pytest.mark.attack)
    item.user_properties.extend((PROPERTY, row) for row in dict.fromkeys(rows))


def rows_of(properties: list[tuple[str, object]]) -> list[str]:
    """Return the rows that a test or its report carries."""
    return [str(value) for name, value in properties if name == PROPERTY]
