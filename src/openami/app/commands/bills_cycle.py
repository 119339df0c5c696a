"""``openami bills due|run|held|show|release|hold|lift|why``: the billing cycle as work."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from openami.app.commands.bills_papers import BillArgument
from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption

if TYPE_CHECKING:
    from openami.billing.api import Bill

OnOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="As it would be on this day; today if absent.")
]
OwnerOption = Annotated[str, typer.Option("--owner", help="Desk: metering, field, rates or billing; all if absent.")]
GroupOption = Annotated[int | None, typer.Option("--group", min=1, max=99, help="Bill group; all if absent.")]
EverywhereOption = Annotated[
    bool, typer.Option("--all", help="Look at every place, also where nothing calls for it; slow with many places.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, without any name.")]
PlaceArgument = Annotated[UUID, typer.Argument(metavar="SERVICE_POINT", help="Its number.")]


def due(
    login: LoginOption, on: OnOption = None, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Show how many bills are due, by read day and group. Exits 1 if a place is in no group that is read."""
    from openami.app.billing.cycle_desk import CycleDesk
    from openami.app.settings import Settings

    desk = CycleDesk(Settings.load(home))
    groups, plan = asyncio.run(desk.due(person_of(login), on=None if on is None else on.date()))
    if json_output:
        rows = [
            {
                "bill_group": g.bill_group, "read_on": None if g.read_on is None else g.read_on.isoformat(),
                "bills": g.bills, "held": g.held, "initial": g.initial, "final": g.final,
            }
            for g in groups
        ]  # fmt: skip
        loose = [
            {"service_point": str(u.service_point_id), "bill_group": u.bill_group, "since": u.since.isoformat()}
            for u in plan.unplanned
        ]
        print(json.dumps({"due": rows, "never_read": loose}))
    else:
        table = Table("read day", "group", "bills", "waiting", "initial", "final")
        for g in groups:
            table.add_row(str(g.read_on or "none"), str(g.bill_group or ""), *map(str, (g.bills, g.held, g.initial)),
                          str(g.final))  # fmt: skip
        print_wide(table, columns=150)
        for u in plan.unplanned:
            print(f"{u.service_point_id}: the calendar reads bill group {u.bill_group} on no day, since {u.since}")
    raise typer.Exit(1 if plan.unplanned else 0)


def run(
    login: LoginOption,
    everywhere: EverywhereOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Close what is due now, bills that wait too. The worker does so by itself.

    Exits 1 if any bill waits, if --all finds one that the short way would not have found, or if the worker is at it.
    """
    from dataclasses import asdict

    from openami.app.billing.cycle_desk import CycleDesk
    from openami.app.settings import Settings

    report = asyncio.run(CycleDesk(Settings.load(home)).run(person_of(login), everywhere=everywhere))
    if json_output:
        print(json.dumps(asdict(report)))
    elif report.elsewhere:
        print("The worker closes bills just now, and two at once would be one too many: nothing was done. Try again.")
    else:
        print(f"{report.issued} issued, {report.held} held, {report.waiting} wait for readings or a read")
        print(f"{report.withdrawn} held ones withdrawn, {report.unplanned} places read on no day")
        if report.missed:
            print(f"{report.missed} places had a bill due though nothing called for a look at them. This is a fault.")
    raise typer.Exit(1 if report.held or report.unplanned or report.missed or report.elsewhere else 0)


def held(
    login: LoginOption,
    owner: OwnerOption = "",
    group: GroupOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show bills that wait, the longest first: why, whose work it is, since when, what frees them. Exits 1 if any."""
    from openami.app.billing.hold_desk import HoldDesk
    from openami.app.settings import Settings

    settings = Settings.load(home)
    found = asyncio.run(HoldDesk(settings).held(person_of(login), owner=owner, bill_group=group))
    now = settings.clock().now()
    if json_output:
        print(json.dumps({"held": [_held(b, now) for b in found.bills], "is_cut": found.is_cut}))
    else:
        table = Table("bill", "service point", "days", "why", "desk", "for", "what frees it")
        for bill in found.bills:
            row = _held(bill, now)
            span = f"{row['first_day']} to {row['last_day']}"
            table.add_row(row["bill"], row["service_point"], span, row["reason"], row["owner"],
                          f"{row['age_days']} days", row["action"])  # fmt: skip
        print_wide(table, columns=150)
        if found.is_cut:
            print("there are more: choose with --owner or --group")
    raise typer.Exit(1 if found.bills else 0)


def show(
    bill: BillArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Show one bill: its place in the calendar, its reads, its lines, or why it waits. Exits 1 if it waits."""
    from openami.app.billing.cycle_desk import CycleDesk
    from openami.app.settings import Settings

    settings = Settings.load(home)
    found = asyncio.run(CycleDesk(settings).show(person_of(login), bill))
    document = _document(found)
    if found.hold is not None:
        document |= _held(found, settings.clock().now())
    if json_output:
        print(json.dumps(document))
    else:
        _show(found, document)
    raise typer.Exit(1 if found.hold is not None else 0)


def release(
    bill: BillArgument,
    reason: ReasonOption,
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let a held bill pass its hold with the next run. What lacks a reading or a price cannot be talked away."""
    from openami.app.billing.hold_desk import HoldDesk
    from openami.app.settings import Settings

    found = asyncio.run(HoldDesk(Settings.load(home)).release(person_of(login), bill, reason))
    code = "" if found.hold is None else found.hold.code.value
    print(json.dumps({"bill": str(bill), "released": code}) if json_output else f"{bill} passes {code} from now on")


def hold(
    service_point: PlaceArgument,
    reason: ReasonOption,
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Let the bills of a place wait until the hold is lifted."""
    from openami.app.billing.cycle_desk import CycleDesk
    from openami.app.settings import Settings

    row = asyncio.run(CycleDesk(Settings.load(home)).hold(person_of(login), service_point, reason))
    told = {"service_point": str(service_point), "hold": str(row.hold_id), "since": row.at.isoformat()}
    print(json.dumps(told) if json_output else f"bills of {service_point} wait: {row.reason}")


def lift(
    service_point: PlaceArgument,
    reason: ReasonOption,
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Lift the holds of a place: its bills go out with the next run."""
    from openami.app.billing.cycle_desk import CycleDesk
    from openami.app.settings import Settings

    lifted = asyncio.run(CycleDesk(Settings.load(home)).lift(person_of(login), service_point, reason))
    told = {"service_point": str(service_point), "lifted": lifted}
    print(json.dumps(told) if json_output else f"{lifted} holds of {service_point} lifted")


def _held(bill: Bill, now: datetime) -> dict[str, Any]:
    hold = bill.hold
    assert hold is not None
    return {
        "bill": str(bill.bill_id), "service_point": str(bill.service_point_id),
        "first_day": bill.span.first.isoformat(), "last_day": bill.span.last.isoformat(),
        "bill_group": None if bill.cycle is None else bill.cycle.bill_group, "code": hold.code.value,
        "reason": hold.reason, "owner": hold.owner, "since": hold.since.isoformat(),
        "age_days": max(0, (now - hold.since).days), "action": hold.action,
    }  # fmt: skip


def _document(bill: Bill) -> dict[str, Any]:
    from openami.billing.bill.terms_document import terms_document

    cycle = bill.cycle
    return {
        "bill": str(bill.bill_id), "service_point": str(bill.service_point_id), "state": bill.state.value,
        "kind": bill.kind.value, "version": bill.version, "first_day": bill.span.first.isoformat(),
        "last_day": bill.span.last.isoformat(), "days": bill.span.days, "rate": bill.rate_code,
        "bill_group": None if cycle is None else cycle.bill_group,
        "revenue_month": None if cycle is None else f"{cycle.revenue_month:%Y-%m}",
        "read_on": None if cycle is None else cycle.read_on.isoformat(),
        "reading_state": None if bill.reading_state is None else bill.reading_state.value,
        "usage_wh": bill.usage_wh, "total": None if bill.total is None else str(bill.total),
        "currency": bill.currency, "due_on": None if bill.due_on is None else bill.due_on.isoformat(),
        "stamps": list(bill.stamps), "released": bill.released, "terms": terms_document(bill.terms),
        "reads": [
            {
                "meter": p.meter, "channel": p.channel.name.lower(), "multiplier": p.multiplier,
                "begin_at": p.begin.at.isoformat(), "begin": p.begin.value, "begin_kind": p.begin.kind.value,
                "end_at": p.end.at.isoformat(), "end": p.end.value, "end_kind": p.end.kind.value,
            }
            for p in bill.reads
        ],
        "lines": [
            {"kind": line.kind, "name": line.name, "quantity": str(line.quantity), "unit": line.unit,
             "price": str(line.price), "amount": str(line.amount)}
            for line in bill.lines
        ],
    }  # fmt: skip


def _show(bill: Bill, document: dict[str, Any]) -> None:
    state = document["reading_state"] or "not made yet"
    print(f"{bill.kind.value} bill {bill.bill_id}, {bill.state.value}, reads: {state}")
    print(f"{document['first_day']} to {document['last_day']} ({bill.span.days} days), rate {bill.rate_code}")
    if bill.cycle is not None:
        print(f"group {bill.cycle.bill_group}, read on {bill.cycle.read_on}, counts to {document['revenue_month']}")
    terms = bill.terms
    if any(terms.municipalities(bill.span)):
        towns = [name or "a municipality that is not known" for name in terms.municipalities(bill.span)]
        print(f"taxed in {', then '.join(towns)}")
    if terms.attributes:
        print("facts of the agreement: " + ", ".join(f"{k} {v}" for k, v in sorted(terms.attributes.items())))
    for source in terms.sources:
        print(f"by {source}")
    if bill.hold is not None:
        print(f"waits since {bill.hold.since:%Y-%m-%d} ({bill.hold.owner}): {bill.hold.reason}")
        print(f"what frees it: {bill.hold.action}")
    reads = Table("meter", "channel", "begin", "read as", "end", "read as", "x")
    for row in document["reads"]:
        reads.add_row(row["meter"], row["channel"], str(row["begin"]), row["begin_kind"], str(row["end"]),
                      row["end_kind"], str(row["multiplier"]))  # fmt: skip
    print_wide(reads, columns=110)
    lines = Table("line", "quantity", "unit", "price", "amount")
    for row in document["lines"]:
        lines.add_row(row["name"], row["quantity"], row["unit"], row["price"], row["amount"])
    print_wide(lines, columns=110)
    if bill.total is not None:
        print(f"total {bill.total} {bill.currency}, due {document['due_on']}")
