"""What billing owes after the month: every Wh of every cycle accounted for, and a ledger that adds up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.bench.cycle.filling import Fleet
from openami.app.bench.cycle.telling import Progress
from openami.billing.adapters.correction_postgres import PostgresCorrections
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.ledger.conservation import EnergyBalance
from openami.billing.ledger.energy import EnergyCheck
from openami.billing.ledger.posting import LedgerPostings
from openami.mdm.api import MeterData

AT_ONCE = 2_000
"""Bills booked together, with their lines."""
ASKED = 50_000
"""Bills that the ledger lacks, asked for together: the question looks at every bill."""


@dataclass(slots=True)
class Balanced:
    """What was found.

    Args:
        groups: the energy of each bill group's cycle.
        faults: of the ledger, in words.
        booked: entries.
        spent_s: seconds by name.
    """

    groups: dict[int, EnergyBalance] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    booked: int = 0
    spent_s: dict[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> EnergyBalance:
        """All groups together."""
        return sum(self.groups.values(), EnergyBalance())

    @property
    def residual_wh(self) -> int:
        """What is not accounted for, group by group, either way [Wh]."""
        return sum(abs(b.residual_wh) for b in self.groups.values())

    def figures(self) -> Mapping[str, tuple[float, str]]:
        """Return the figures as ``openami bench`` prints them."""
        whole = self.whole
        parts = {
            "metered": whole.metered_wh, "billed": whole.billed_wh + whole.carried_wh,
            "estimated, outstanding": whole.estimated_wh,
            "changed since": whole.changed_open_wh + whole.changed_left_wh, "held": whole.held_wh,
            "unbilled": whole.unbilled_wh, "unassigned": whole.unassigned_wh,
        }  # fmt: skip
        return {
            "energy not accounted for, cycle by cycle": (self.residual_wh, "Wh"),
            **{f"  {name}": (wh, "Wh") for name, wh in parts.items()},
            "ledger entries": (self.booked, "entries"),
            "faults of the ledger": (len(self.faults), "faults"),
            **{name: (round(seconds, 2), "s") for name, seconds in self.spent_s.items()},
        }


async def balanced(
    fleet: Fleet, meters: MeterData, billing: AsyncEngine, *, at: datetime, progress: Progress
) -> Balanced:
    """Book every bill and balance every cycle.

    Args:
        fleet: the customers of the month.
        meters: validated days.
        billing: connections of role ``openami_billing``.
        at: domain time.
        progress: told how far it is.
    """
    found, customers = Balanced(), fleet.energy.customers
    book, ledger = PostgresCorrections(billing), PostgresLedger(billing)
    postings = LedgerPostings(ledger)
    began = time.perf_counter()
    while ids := await ledger.unposted(since=None, limit=ASKED):
        for begin in range(0, len(ids), AT_ONCE):
            found.booked += await postings.post(await book.bills(ids[begin : begin + AT_ONCE]), at=at)
        progress.say(f"{found.booked:,} bills are booked")
    found.faults = (await ledger.audit()).faults
    found.spent_s["booking the month"] = time.perf_counter() - began
    began = time.perf_counter()
    check = EnergyCheck(meters, book)
    for group, (first, end) in sorted(customers.read_days.items()):
        points = [fleet.places[r] for r in range(customers.count) if int(customers.bill_group[r]) == group]
        if points:
            found.groups[group] = await check.balance(points, first, end)
            progress.part("balancing", group, len(customers.read_days))
    found.spent_s["balancing the energy"] = time.perf_counter() - began
    return found
