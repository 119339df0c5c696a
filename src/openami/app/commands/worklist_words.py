"""What the commands of the worklist share: options, spans in local words, documents and tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from pathlib import Path

    from openami.app.readings.editing_desk import EditingDesk, Kept
    from openami.kernel.time import Period
    from openami.mdm.editing.editor import Proposal, Wish
    from openami.mdm.editing.ports import DecisionHead, Effect
    from openami.mdm.editing.worklist import WorkItem

LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
PlaceArgument = Annotated[UUID, typer.Argument(metavar="PLACE", help="Id of the service point.")]
FromArgument = Annotated[str, typer.Argument(metavar="FROM", help="2026-03-08 or 2026-03-08T14:15, local time.")]
ToArgument = Annotated[str, typer.Argument(metavar="TO", help="A day is included whole; a time ends the span.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="delivered, received, voltage ...")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why: 5 to 500 characters, kept for ever.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Decide; without it you only see what would happen.")]
_SHOWN = 12


def desk_of(home: Path) -> EditingDesk:
    """Return the desk of a home."""
    from openami.app.readings.editing_desk import EditingDesk
    from openami.app.settings import Settings

    return EditingDesk(Settings.load(home))


def period_of(first: str, last: str, zone: ZoneInfo) -> Period:
    """Return a span of local words as a period.

    Raises:
        MisuseError: no such time, or it ends before it begins.
    """
    from openami.kernel.time import Period

    start, _ = _edge(first, zone)
    end, is_day = _edge(last, zone)
    if is_day:
        end = (end + timedelta(days=1)).replace(hour=0)
    if end.astimezone(ZoneInfo("UTC")) <= start.astimezone(ZoneInfo("UTC")):
        raise MisuseError(f"the span ends at {last}, not after {first}")
    return Period(start.astimezone(ZoneInfo("UTC")), end.astimezone(ZoneInfo("UTC")))


def _edge(text: str, zone: ZoneInfo) -> tuple[datetime, bool]:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise MisuseError(f"{text!r} is no day and no time: 2026-03-08 or 2026-03-08T14:15") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone), len(text) == len("2026-03-08")


def channel_of(name: str) -> Any:
    """Return a channel by its name.

    Raises:
        MisuseError: there is none.
    """
    from openami.contracts.channel import CHANNEL_BY_NAME

    if name not in CHANNEL_BY_NAME:
        raise MisuseError(f"channel {name!r}: one of {', '.join(CHANNEL_BY_NAME)}")
    return CHANNEL_BY_NAME[name]


def carry_out(home: Path, login: str, wish: Wish, *, yes: bool, json_output: bool) -> None:
    """Show what a wish would do and, where the person says so, decide it."""
    desk, person = desk_of(home), person_of(login)

    async def act() -> tuple[Proposal, Kept | None]:
        proposal = await desk.preview(person, wish)
        return proposal, await desk.decide(person, proposal) if yes else None

    proposal, kept = asyncio.run(act())
    show_proposal(proposal, kept, json_output=json_output)


def show_proposal(proposal: Proposal, kept: Kept | None, *, json_output: bool) -> None:
    """Print what would happen, or has been decided."""
    if json_output:
        print(json.dumps(proposal_document(proposal, kept)))
        return
    effect = proposal.preview.effect
    print(proposal.decision.words())
    print("  " + effect_words(effect))
    _show_changes(proposal)
    if proposal.second is not None:
        print(f"  A second person must approve: {proposal.second}.")
    if kept is None:
        print("Nothing is changed yet: say --yes to decide.")
    elif kept.order is not None:
        print(f"Decision {kept.decision_id} waits: openami worklist approve {kept.decision_id} --as LOGIN")
    else:
        print(f"Decision {kept.decision_id} is {kept.state.value.replace('_', ' ')}; its days run again now.")


def effect_words(effect: Effect) -> str:
    """Return a preview's sums in one sentence."""
    parts = [f"{effect.days:,} days of {effect.service_points:,} places get another version"]
    if effect.up_wh or effect.down_wh:
        parts.append(f"+{effect.up_wh / 1000:,.1f} and -{effect.down_wh / 1000:,.1f} kWh")
    if effect.moved_wh:
        parts.append(f"{effect.moved_wh / 1000:,.1f} kWh move to another interval")
    parts.append(f"{effect.settled:,} findings close, {effect.raised:,} open")
    return "; ".join(parts) + "."


def proposal_document(proposal: Proposal, kept: Kept | None) -> dict[str, Any]:
    """Return a proposal as a document."""
    from dataclasses import asdict

    return {
        "decision": str(proposal.decision.id),
        "words": proposal.decision.words(),
        "spans": len(proposal.decision.targets),
        "state": kept.state.value if kept is not None else "preview",
        "order": str(kept.order.subject.order_id) if kept is not None and kept.order is not None else None,
        "second_person": proposal.second,
        "effect": asdict(proposal.preview.effect),
        "changes": [
            {
                "service_point": str(c.after.service_point_id),
                "channel": c.after.channel.name.lower(),
                "day": c.after.local_day.isoformat(),
                "version": c.after.version,
                "before_total": int(c.before.values.sum()) if c.before is not None else None,
                "after_total": int(c.after.values.sum()),
            }
            for c in proposal.preview.changes
        ],
    }


def _show_changes(proposal: Proposal) -> None:
    changes = proposal.preview.changes[:_SHOWN]
    if not changes:
        return
    table = Table(box=SIMPLE)
    for name in ("place", "channel", "day", "version", "before", "after"):
        table.add_column(name, justify="right" if name in {"version", "before", "after"} else "left")
    for c in changes:
        before = f"{int(c.before.values.sum()):,}" if c.before is not None else "none"
        table.add_row(
            str(c.after.service_point_id), c.after.channel.name.lower(), c.after.local_day.isoformat(),
            str(c.after.version), before, f"{int(c.after.values.sum()):,}",
        )  # fmt: skip
    print_wide(table, columns=110)
    more = proposal.preview.effect.days - len(changes)
    if more > 0:
        print(f"  ... and {more:,} more.")


def item_document(item: WorkItem) -> dict[str, Any]:
    """Return an item as a document."""
    return {
        "service_point": str(item.service_point_id),
        "channel": item.channel.name.lower(),
        "rule": item.rule,
        "severity": item.severity.value,
        "first": item.first.isoformat(),
        "last": item.last.isoformat(),
        "findings": item.findings,
        "since": item.since.isoformat(),
        "bill_on": item.bill_on.isoformat(),
        "is_billed": item.is_billed,
        "stake_wh": item.stake_wh,
        "dollars": str(item.dollars()),
        "cell": item.cell,
        "transformer": item.transformer,
        "case": str(item.case_id) if item.case_id else None,
        "evidence": dict(item.evidence),
    }


def show_items(items: Sequence[WorkItem]) -> None:
    """Print items as a table."""
    table = Table(box=SIMPLE)
    for name in ("", "place", "channel", "rule", "days", "bill", "kWh", "$", "cell"):
        table.add_column(name, justify="right" if name in {"kWh", "$"} else "left")
    for item in items:
        days = item.first.isoformat() if item.first == item.last else f"{item.first} to {item.last}"
        bill = f"{item.bill_on} (out)" if item.is_billed else item.bill_on.isoformat()
        table.add_row(
            item.severity.value, str(item.service_point_id), item.channel.name.lower(), item.rule, days, bill,
            f"{item.stake_wh / 1000:,.1f}", f"{item.dollars():,}", item.cell,
        )  # fmt: skip
    print_wide(table, columns=150)


def head_document(head: DecisionHead) -> dict[str, Any]:
    """Return a decision as a document."""
    from dataclasses import asdict

    d = head.decision
    return {
        "decision": str(d.id),
        "state": head.state.value,
        "kind": d.kind.value,
        "words": d.words(),
        "spans": head.spans,
        "reason": d.reason,
        "by": str(d.by),
        "at": d.at.isoformat(),
        "approved_by": str(d.approved_by) if d.approved_by else None,
        "undone_by": str(d.undone_by) if d.undone_by else None,
        "case": str(d.case_id) if d.case_id else None,
        "effect": asdict(head.effect),
    }


def show_heads(heads: Sequence[DecisionHead]) -> None:
    """Print decisions as a table."""
    table = Table(box=SIMPLE)
    for name in ("decision", "state", "at", "what", "spans", "by", "reason"):
        table.add_column(name, justify="right" if name == "spans" else "left")
    for head in heads:
        d = head.decision
        table.add_row(
            str(d.id), head.state.value.replace("_", " "), d.at.strftime("%Y-%m-%d %H:%M"), d.words(),
            f"{head.spans:,}", str(d.by)[:8], d.reason[:60],
        )  # fmt: skip
    print_wide(table, columns=170)
