"""What the commands of corrections print: documents and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from openami.app.billing.correction_desk import Kept
from openami.app.commands.person import print_wide
from openami.billing.correction.decision import DecisionHead
from openami.billing.correction.effect import Effect
from openami.billing.correction.group import CauseCase
from openami.billing.correction.proposal import Proposal
from openami.billing.correction.record import Adjustment, Change
from openami.billing.correction.words import adjustment_words, case_words, part_words, proposal_words

_SHOWN = 20


def case_document(case: CauseCase) -> dict[str, Any]:
    """Return a case as a document."""
    return {
        "cause": case.cause.name,
        "words": case.cause.words,
        "customers": len(case.customers),
        "since": case.since.isoformat(),
        "first": case.first.isoformat(),
        "last": case.last.isoformat(),
        "by_wh": sum(c.by_wh for c in case.changes),
        "by": str(sum(c.by for c in case.changes)),
        "bills": [change_document(c) for c in case.changes],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return a changed bill as a document."""
    return {
        "bill": str(change.bill_id),
        "service_point": str(change.service_point_id),
        "agreement": str(change.agreement_id),
        "rate": change.rate_code,
        "from": change.span.first.isoformat(),
        "to": change.span.end.isoformat(),
        "days_changed": change.days,
        "before_wh": change.before_wh,
        "after_wh": change.after_wh,
        "before": str(change.before),
        "after": None if change.after is None else str(change.after),
        "state": change.found.value,
        "reason": change.reason,
        "also": list(change.also),
        "parts": [
            {
                "from": p.span.first.isoformat(),
                "to": p.span.end.isoformat(),
                "rate": p.rate_code,
                "wh": p.wh,
                "total": str(p.total),
            }
            for p in change.parts
        ],
        "joins": None if change.joins is None else str(change.joins),
    }


def show_cases(cases: Sequence[CauseCase]) -> None:
    """Print cases as a table."""
    if not cases:
        print("Nothing waits.")
        return
    table = Table(box=SIMPLE)
    for name in ("cause", "why", "what", "days", "since"):
        table.add_column(name)
    for case in cases:
        table.add_row(
            case.cause.name, case.cause.words, case_words(case), f"{case.first} to {case.last}",
            f"{case.since:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    print_wide(table, columns=190)
    print("See what correcting one would do: openami corrections preview CAUSE --as LOGIN")


def proposal_document(proposal: Proposal, kept: Kept | None) -> dict[str, Any]:
    """Return a proposal as a document."""
    rebilled = {c.bill_id for r in proposal.reaches.values() for c in r.rebilled}
    return {
        "decision": str(proposal.decision.decision_id),
        "kind": proposal.decision.kind.value,
        "cause": proposal.decision.cause.name,
        "state": "preview" if kept is None else kept.state.value,
        "order": None if kept is None or kept.order is None else str(kept.order.subject.order_id),
        "second_person": proposal.second,
        "effect": _effect(proposal.effect),
        "parts": {str(a): n for a, n in proposal.parts.items()},
        "bills": [
            change_document(c) | {"is_rebilled": c.bill_id in rebilled}
            for r in proposal.reaches.values()
            for c in (*r.rebilled, *r.beyond)
        ],
    }


def show_proposal(proposal: Proposal, kept: Kept | None) -> None:
    """Print what a decision would do, or did."""
    print(f"{proposal.decision.cause.name}: {proposal.decision.cause.words}")
    for sentence in proposal_words(proposal):
        print(f"  {sentence}")
    _show_changes([c for r in proposal.reaches.values() for c in r.rebilled])
    decision = proposal.decision.decision_id
    if kept is None:
        print("Nothing is changed yet: openami corrections decide CAUSE --reason WHY --as LOGIN --yes")
    elif kept.order is not None:
        print(f"Decision {decision} waits: openami corrections approve {decision} --as LOGIN")
    else:
        print(f"Decision {decision} is in force.")


def _show_changes(changes: Sequence[Change]) -> None:
    if not changes:
        return
    table = Table(box=SIMPLE)
    for name in ("bill", "from", "to", "kWh before", "after", "$ before", "after", "by"):
        table.add_column(name, justify="left" if name in {"bill", "from", "to"} else "right")
    shown = changes[:_SHOWN]
    for c in shown:
        table.add_row(
            str(c.bill_id), str(c.span.first), str(c.span.end), f"{c.before_wh / 1000:,.3f}",
            f"{c.after_wh / 1000:,.3f}", f"{c.before:,.2f}", f"{c.after:,.2f}", f"{c.by:+,.2f}",
        )  # fmt: skip
    print_wide(table, columns=130)
    for c in shown:
        for number, words in enumerate(part_words(c)):
            print(
                f"  {f'bill {c.bill_id} becomes' if not number else ' ' * 49} {words}"
                if c.parts
                else f"  bill {c.bill_id}: {words}"
            )
    if len(changes) > _SHOWN:
        print(f"  ... and {len(changes) - _SHOWN:,} more.")


def head_document(head: DecisionHead) -> dict[str, Any]:
    """Return a decision as a document."""
    d = head.decision
    return {
        "decision": str(d.decision_id),
        "kind": d.kind.value,
        "cause": d.cause.name,
        "words": d.cause.words,
        "reason": d.reason,
        "by": str(d.by),
        "at": d.at.isoformat(),
        "approved_by": None if d.approved_by is None else str(d.approved_by),
        "state": head.state.value,
        "tampering": d.tampering,
        "effect": _effect(head.effect),
        "bills": [str(b.bill_id) for b in d.bills],
    }


def show_heads(heads: Sequence[DecisionHead]) -> None:
    """Print decisions as a table."""
    table = Table(box=SIMPLE)
    for name in ("decision", "at", "what", "state", "reason", "bills", "up", "down"):
        table.add_column(name, justify="right" if name in {"bills", "up", "down"} else "left")
    for head in heads:
        d, e = head.decision, head.effect
        table.add_row(
            str(d.decision_id), f"{d.at:%Y-%m-%d %H:%M}", d.words(), head.state.value, d.reason, f"{e.bills:,}",
            f"{e.up:,.2f}", f"{e.down:,.2f}",
        )  # fmt: skip
    print_wide(table, columns=170)


def adjustment_document(one: Adjustment) -> dict[str, Any]:
    """Return an adjustment as a document."""
    return {
        "adjustment": str(one.adjustment_id),
        "bill": str(one.bill_id),
        "corrected_bill": None if one.corrected_bill_id is None else str(one.corrected_bill_id),
        "more_bills": [str(b) for b in one.more_bills],
        "more_corrected_bills": [str(b) for b in one.more_corrected],
        "from": one.span.first.isoformat(),
        "to": one.span.end.isoformat(),
        "decision": str(one.decision_id),
        "cause": one.cause.name,
        "by_wh": one.by_wh,
        "by": str(one.by),
        "installments": one.installments,
        "day": one.day.isoformat(),
        "words": adjustment_words(one),
        "lines": [{k: _plain(v) for k, v in (asdict(x) | {"by": x.by}).items()} for x in one.lines],
    }


def show_adjustments(found: Sequence[Adjustment]) -> None:
    """Print adjustments with their lines."""
    if not found:
        print("No bill of this place was corrected.")
    for one in found:
        print(adjustment_words(one))
        news = [str(b) for b in (one.corrected_bill_id, *one.more_corrected) if b is not None]
        successor = f"corrected {_bills(news)}" if news else "reversed whole"
        print(f"  {_bills([str(b) for b in (one.bill_id, *one.more_bills)])}, {successor}, decision {one.decision_id}")
        table = Table(box=SIMPLE)
        for name in ("line", "was", "is", "by"):
            table.add_column(name, justify="left" if name == "line" else "right")
        for line in one.lines:
            table.add_row(line.name, f"{line.before:,.2f}", f"{line.after:,.2f}", f"{line.by:+,.2f}")
        print_wide(table, columns=90)


def _bills(ids: Sequence[str]) -> str:
    return f"bill {ids[0]}" if len(ids) == 1 else f"bills {' and '.join(ids)}"


def _effect(effect: Effect) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(effect).items()}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (int, str)) else str(value)
