"""Measure and write the page: ``python -m openami.app.bench.findings``; ``--help`` lists what can be chosen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from openami.app.bench.findings.measure import MONTH_BILLS, measure
from openami.app.bench.findings.page import page
from openami.app.bench.homes import Half, HomesUnavailableError


def main() -> int:
    """Measure; print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", type=Half, choices=list(Half), default=Half.HELD_OUT)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--bills", type=int, default=MONTH_BILLS)
    parser.add_argument("--most", type=int, help="put each fault into about so many bills, for a quick look")
    asked = parser.parse_args()
    words = [f"--most {asked.most}"] if asked.most is not None else []
    words += [f"--bills {asked.bills}"] if asked.bills != MONTH_BILLS else []
    try:
        found = measure(asked.half, bills=asked.bills, most=asked.most, tell=lambda line: print(line, file=sys.stderr))
    except HomesUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    text = page(found, asked=" ".join(words))
    if asked.page is None:
        print(text)
    else:
        asked.page.parent.mkdir(parents=True, exist_ok=True)
        asked.page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
