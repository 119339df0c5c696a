"""Print what was searched for canaries and what was found: ``python -m tests.canary`` (``make canary``).

``--customers N`` and ``--seconds S`` make it longer. Exits 1 where a canary is anywhere but in its own place.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table
from tests.canary.run import ROUNDS_S, Report, measure
from tests.zones.namespaces import NoNamespacesError


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.canary")
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=ROUNDS_S)
    arguments = parser.parse_args()
    try:
        report = measure(customers=arguments.customers, rounds_s=arguments.seconds)
    except NoNamespacesError as error:
        print(f"the zones cannot be built: {error}", file=sys.stderr)
        return 1
    show(report)
    return 1 if report.leaks else 0


def show(report: Report) -> None:
    """Print the table."""
    title = (
        f"{report.canaries} customers, {report.words} words and {report.secrets} keys, each in every way of writing it"
    )
    table = Table("place", "form", "items", "octets", "canaries found", title=title, title_justify="left")
    for line in sorted(report.lines.values(), key=lambda line: (line.place, line.form)):
        found = str(len(line.found)) + (" (shown to the person whom they concern)" if line.is_theirs else "")
        table.add_row(line.place, line.form, f"{line.items:,}", f"{line.octets:,}", found)
    Console(width=max(130, Console().width), highlight=False).print(table)
    opened, shut = report.apdus
    print(f"{report.octets:,} octets searched; {opened:,} sealed APDUs opened, {shut} not; reads: {dict(report.reads)}")
    print(f"orders: {dict(report.orders)}; pages that did not answer: {report.refused or 'none'}")
    print(f"packets lost by the captures: {report.dropped}; octets missing in streams: {report.missing}")
    print(f"a word that a meter sent sealed was found in: {', '.join(sorted(report.planted)) or 'NOTHING'}")
    print(f"canaries where none belongs: {sum(len(line.found) for line in report.leaks)}")


if __name__ == "__main__":
    sys.exit(main())
