"""What the commands of the ledger print: documents and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from rich.box import SIMPLE
from rich.table import Table

from openami.app.billing.ledger_desk import CycleBalance
from openami.app.commands.person import print_wide
from openami.billing.ledger.account import NORMAL_SIDE
from openami.billing.ledger.conservation import EnergyBalance
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.trial import Standing


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return an entry as a document."""
    return {
        "entry": str(entry.entry_id),
        "kind": entry.kind.value,
        "day": entry.day.isoformat(),
        "agreement": str(entry.agreement_id),
        "bill": None if entry.bill_id is None else str(entry.bill_id),
        "reverses": None if entry.reverses is None else str(entry.reverses),
        "decision": None if entry.decision_id is None else str(entry.decision_id),
        "currency": entry.currency,
        "postings": [{"account": p.account.value, "detail": p.detail, "amount": str(p.amount)} for p in entry.postings],
        "evidence": dict(entry.evidence),
    }


def standing_document(standing: Standing) -> dict[str, Any]:
    """Return an account's standing as a document."""
    return {
        "account": standing.account.value,
        "detail": standing.detail,
        "currency": standing.currency,
        "debit": str(standing.debit),
        "credit": str(standing.credit),
        "balance": str(standing.balance),
    }


def show_entries(entries: Sequence[Entry], standings: Mapping[UUID, Sequence[Standing]]) -> None:
    """Print entries, each posting a line, and what stands on each agreement."""
    table = Table(box=SIMPLE)
    for name in ("day", "entry", "account", "debit", "credit", "bill"):
        table.add_column(name, justify="right" if name in {"debit", "credit"} else "left")
    for entry in entries:
        for number, one in enumerate(entry.postings):
            head = (entry.day.isoformat(), entry.kind.value.replace("_", " ")) if number == 0 else ("", "")
            name = one.account.value.replace("_", " ") + (f": {one.detail}" if one.detail else "")
            debit, credit = (f"{one.amount:,.2f}", "") if one.amount > 0 else ("", f"{-one.amount:,.2f}")
            bill = str(entry.bill_id) if number == 0 and entry.bill_id else ""
            table.add_row(*head, name, debit, credit, bill)
    print_wide(table, columns=140)
    for agreement, found in standings.items():
        print(f"Agreement {agreement}:")
        show_standings(found)


def show_standings(standings: Sequence[Standing]) -> None:
    """Print a trial balance."""
    table = Table(box=SIMPLE)
    for name in ("account", "debit", "credit", "balance", "side"):
        table.add_column(name, justify="left" if name in {"account", "side"} else "right")
    for one in standings:
        name = one.account.value.replace("_", " ") + (f": {one.detail}" if one.detail else "")
        table.add_row(
            name, f"{one.debit:,.2f}", f"{one.credit:,.2f}", f"{one.on_its_side:,.2f} {one.currency}",
            NORMAL_SIDE[one.account].value,
        )  # fmt: skip
    print_wide(table, columns=110)


def balance_document(found: CycleBalance) -> dict[str, Any]:
    """Return a cycle's balance as a document."""
    told = asdict(found.balance) | {"residual_wh": found.balance.residual_wh}
    return {
        "bill_group": found.bill_group or None,
        "from": found.first.isoformat(),
        "to": found.end.isoformat(),
        "places": found.places,
    } | told


def show_balances(balances: Sequence[CycleBalance]) -> None:
    """Print cycles' balances and their sum."""
    table = Table(box=SIMPLE)
    names = ("group", "days", "places", "metered kWh", "billed", "estimated", "changed", "held", "unbilled",
             "unassigned", "residual Wh")  # fmt: skip
    for name in names:
        table.add_column(name, justify="left" if name == "days" else "right")
    total = EnergyBalance()
    for one in balances:
        total += one.balance
        table.add_row(
            str(one.bill_group or "no place"), f"{one.first} to {one.end}", f"{one.places:,}", *_cells(one.balance)
        )
    table.add_row("all", "", f"{sum(b.places for b in balances if b.bill_group):,}", *_cells(total))
    print_wide(table, columns=150)
    words = "Every Wh is accounted for." if not total.residual_wh else "Energy is not accounted for: a fault."
    print(words)


def _cells(found: EnergyBalance) -> tuple[str, ...]:
    changed = found.changed_open_wh + found.changed_left_wh
    billed = found.billed_wh + found.carried_wh
    energies = (found.metered_wh, billed, found.estimated_wh, changed, found.held_wh, found.unbilled_wh)
    return (*(f"{wh / 1000:,.3f}" for wh in (*energies, found.unassigned_wh)), f"{found.residual_wh:,}")
