"""The attacks that concern devices, frames, keys and commands, and what the platform owes each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Args:
        attack: what somebody does.
        expected: what must come of it.
    """

    attack: str
    expected: str


ROWS: Mapping[str, Row] = {
    "A1": Row("replay of a captured response, push or command", "dropped and told, no state changes, still readable"),
    "A2": Row("re-ordering within a window, the same push again", "by its counter; no kWh is counted twice"),
    "A3": Row("our counter again after a crash, a restore, a fail-over", "no (key, IV) pair twice"),
    "A4": Row("a meter's counter falls: reset or cloned", "refused and told; the meter's frames are kept aside"),
    "A5": Row("in the clear, half protected, a lower suite, another key set", "dropped before the application layer"),
    "A6": Row("bits flipped, tags cut short", "all refused alike; the counter stays"),
    "A7": Row("a forged frame with a huge counter", "the counter stays; the next genuine frame passes"),
    "A8": Row("a challenge reflected, empty, short or fixed; an old association", "aborted; ours are fresh and random"),
    "A9": Row("a counter poisoned through the public client", "nothing is believed that no key has signed"),
    "A10": Row("a key of several meters, a maker's default, all zeros", "the import is refused and names the serials"),
    "A11": Row(
        "a key under the wrong key, an old one again, a lost answer", "the old key serves until the new one did"
    ),
    "A12": Row("a broadcast that switches, sets clocks or carries firmware", "refused"),
    "A13": Row("one meter's key row copied to another in the vault", "does not open; KEY_BINDING is told"),
    "A14": Row("a storm of good disconnections", "warned, then kept aside: as many pass as may, not one more"),
    "A15": Row("a storm of many people, slow, of reconnections, on and off", "every cap holds"),
    "A16": Row("approving oneself, an approval again, a list changed after", "refused"),
    "A17": Row("whoever has the API says commands", "the bus denies it, and so does the gateway's signature check"),
    "A19": Row("clocks shifted", "more than five minutes needs an approval"),
    "A20": Row("firmware unsigned, older, of another model", "refused"),
    "A21": Row("malformed octets, bombs", "limits; no crash, no hang"),
    "A32": Row("a stolen collector comes back; late data", "its certificate is refused, its data kept aside"),
    "A33": Row("a storm of events to hide one", "counted; those about security are never dropped"),
    "A34": Row("secrets in logs, errors, backups", "none"),
}
"""By the numbers that our threat model gives them. The rows that are missing concern people, billing and web pages."""

OTHER_ROWS = frozenset({"A18", *(f"A{n}" for n in range(22, 32))})
"""Rows of the threat model that other parts of the platform answer: a test may name them, and the table does not."""

_IN_NAME = re.compile(r"(?:^test|(?<=\d))_a(\d+)(?=_)")
_IN_ID = re.compile(r"\bA(\d+)\b")


def rows_named(name: str) -> list[str]:
    """Return the rows that a test's name says: after ``test``, or in the words of its case.

    >>> rows_named("test_a5_a6_nothing_weaker_passes[A12 a broadcast]"), rows_named("test_all_30_days[a1]")
    (['A5', 'A6', 'A12'], [])
    """
    function, _, case = name.partition("[")
    return [f"A{n}" for n in (*_IN_NAME.findall(function), *_IN_ID.findall(case))]
