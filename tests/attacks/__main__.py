"""Run every test that is about an attack and print the table: ``python -m tests.attacks`` (``make attacks``).

Exits 1 where a row is broken or has no test. ``--json`` prints one line a row; anything else goes to pytest
(``-k a14``, ``-n 0``, a folder).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

import pytest
from rich.console import Console
from rich.table import Table
from tests.attacks.rows import ROWS
from tests.attacks.tally import Tally

_RUN = [
    "-q",
    "-m",
    "attack and not soak",
    "-n",
    "2",
    "--dist",
    "loadscope",
    "--durations",
    "1",
    "--tb",
    "short",
    "-r",
    "N",
]
_RUN += ["-p", "tests.attacks.long", "--timeout", "300"]
_ENDED_WELL = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}


def main(arguments: list[str]) -> int:
    """Run, print, and return the exit code."""
    as_json = "--json" in arguments
    tally = Tally()
    said = io.StringIO()
    with contextlib.redirect_stdout(said if as_json else sys.stdout):
        code = pytest.main([*_RUN, *(a for a in arguments if a != "--json")], plugins=[tally])
    from tests.attacks.long import found_here

    tally.long = tally.long or found_here()
    if code not in _ENDED_WELL:
        print(said.getvalue(), file=sys.stderr)
        _name_broken(tally)
        return 2
    if as_json:
        for name, row in ROWS.items():
            print(json.dumps({"row": name, "attack": row.attack, "expected": row.expected, **_told(tally, name)}))
    else:
        _show(tally)
    return 0 if tally.is_good and code == pytest.ExitCode.OK else 1


def _told(tally: Tally, name: str) -> dict[str, object]:
    row = tally.rows[name]
    return {
        "result": row.result.value,
        "passed": row.passed,
        "failed": row.failed,
        "skipped": row.skipped,
        "long": tally.long[name],
    }


def _show(tally: Tally) -> None:
    table = Table("row", "attack", "expected", "tests", "result", title_justify="left", title="Attacks")
    for name, row in ROWS.items():
        found = tally.rows[name]
        tests = str(found.passed + len(found.failed))
        tests += f", {found.skipped} skipped" if found.skipped else ""
        tests += f", {tally.long[name]} long" if tally.long[name] else ""
        table.add_row(name, row.attack, row.expected, tests, found.result)
    Console(markup=False, width=max(160, Console().width)).print(table)
    _name_broken(tally)
    print("'long' tests are run by make soak.")


def _name_broken(tally: Tally) -> None:
    for name in ROWS:
        for test in tally.rows[name].failed:
            print(f"{name} broken: {test}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
