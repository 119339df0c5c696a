"""``openami usage``: totals of places and groups, virtual channels, and group totals for people outside."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.readings.usage_desk import Question, UsageDesk
    from openami.mdm.release.record import ReleaseRecord
    from openami.mdm.usage.groups import GroupUsage
    from openami.mdm.usage.virtual import Term

app = typer.Typer(help="Add up usage, and release group totals that tell of nobody.", no_args_is_help=True)
virtual = typer.Typer(help="Channels computed from others.", no_args_is_help=True)
app.add_typer(virtual, name="virtual")
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
FirstOption = Annotated[str, typer.Option("--from", help="First local day, YYYY-MM-DD.")]
EndOption = Annotated[str, typer.Option("--to", help="The day after the last, YYYY-MM-DD.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="delivered, received ...")]
TransformerOption = Annotated[list[str] | None, typer.Option("--transformer", help="A transformer; repeat it.")]
FeederOption = Annotated[list[str] | None, typer.Option("--feeder", help="A feeder; repeat it.")]
BillGroupOption = Annotated[list[str] | None, typer.Option("--bill-group", help="A bill group; repeat it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log.")]
GRAINS = {"interval": "interval", "hour": "hour", "day": "day", "month": "month", "bill": "period", "total": "period"}


@app.command()
def totals(
    login: LoginOption,
    first: FirstOption,
    end: EndOption,
    by: Annotated[str, typer.Option("--by", help="interval, hour, day, month, bill or total.")] = "day",
    channel: ChannelOption = "delivered",
    point: Annotated[list[str] | None, typer.Option("--point", help="A service point id; repeat it.")] = None,
    transformer: TransformerOption = None,
    feeder: FeederOption = None,
    bill_group: BillGroupOption = None,
    cycle: Annotated[Path | None, typer.Option("--cycle", help="For bill: file of the bills' days (from,to).")] = None,
    known_at: Annotated[
        str | None, typer.Option("--known-at", help="What was known then, ISO 8601 with offset.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Add up usage of places or groups. Every sum says how much of it is estimated and how much is missing."""
    question = _question(first, end, by, channel, point, transformer, feeder, bill_group, cycle, known_at)
    rows = asyncio.run(_desk(home).totals(person_of(login), question))
    if json_output:
        print(json.dumps([_row(r) for r in rows]))
        return
    table = _table(f"{channel} by {by}", "group", "from", "to", "total", "estimated", "missing")
    for r in rows:
        table.add_row(
            r.group, f"{r.start:%Y-%m-%d %H:%M}", f"{r.end:%Y-%m-%d %H:%M}", f"{r.total:,}",
            f"{r.estimated_share:.1%}", f"{r.missing_share:.1%}",
        )  # fmt: skip
    print_wide(table, columns=110)


@app.command()
def release(
    login: LoginOption,
    first: FirstOption,
    end: EndOption,
    recipient: Annotated[str, typer.Option("--recipient", help="Who gets it.")],
    reason: ReasonOption,
    preset: Annotated[
        str, typer.Option("--preset", help="Rule of the group's size: `openami usage presets`.")
    ] = "15/15",
    by: Annotated[str, typer.Option("--by", help="hour, day or total.")] = "day",
    channel: ChannelOption = "delivered",
    transformer: TransformerOption = None,
    feeder: FeederOption = None,
    bill_group: BillGroupOption = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Release a group's totals to somebody outside, if they tell of nobody, alone or with what went out before.

    Exits 1 where they do. What was released is shown again as it was.
    """
    from openami.mdm.release.preset import PRESETS

    if preset not in PRESETS:
        raise MisuseError(f"--preset {preset!r}: one of {', '.join(PRESETS)}")
    question = _question(first, end, by, channel, None, transformer, feeder, bill_group, None, None)
    work = _desk(home).release(person_of(login), question, PRESETS[preset], recipient=recipient, reason=reason)
    record = asyncio.run(work)
    if json_output:
        print(json.dumps(_release_row(record) | {"result": record.result}))
        return
    table = _table(
        f"{record.group}, {record.result['customers']} customers", "from", "to", "total", "estimated", "missing"
    )
    for row in record.result["rows"]:
        shares = (f"{row['estimated_share']:.0%}", f"{row['missing_share']:.0%}")
        table.add_row(row["start"], row["end"], f"{row['total']:,}", *shares)
    print_wide(table, columns=100)


@app.command()
def releases(
    login: LoginOption,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what was released to whom, the newest first."""
    found = asyncio.run(_desk(home).releases(person_of(login), limit=limit))
    if json_output:
        print(json.dumps([_release_row(r) for r in found]))
        return
    table = _table("Releases", "at", "group", "days", "customers", "rule", "recipient", "reason")
    for r in found:
        table.add_row(
            f"{r.real_at:%Y-%m-%d %H:%M}", r.group, f"{r.first} to {r.last}", str(len(r.customers)), r.preset,
            r.recipient, r.reason,
        )  # fmt: skip
    print_wide(table, columns=120)


@app.command()
def presets(json_output: JsonOption = False) -> None:
    """Show the rules of how large a group must be."""
    from openami.mdm.release.preset import PRESETS

    if json_output:
        print(
            json.dumps(
                [{"name": p.name, "floor": p.floor, "text": p.text, "source": p.source} for p in PRESETS.values()]
            )
        )
        return
    table = _table("Rules", "name", "what", "source")
    for p in PRESETS.values():
        table.add_row(p.name, p.text, p.source)
    print_wide(table, columns=100)


@virtual.command()
def define(
    name: Annotated[str, typer.Argument(help="Its name.")],
    login: LoginOption,
    reason: ReasonOption,
    plus: Annotated[list[str] | None, typer.Option("--plus", help="POINT:CHANNEL to add; repeat it.")] = None,
    minus: Annotated[list[str] | None, typer.Option("--minus", help="POINT:CHANNEL to subtract; repeat it.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Name a sum or difference of channels. A name that is there gets a new definition."""
    from openami.mdm.usage.virtual import VirtualChannel

    terms = [_term(1, t) for t in plus or []] + [_term(-1, t) for t in minus or []]
    definition = VirtualChannel(name, tuple(terms))
    asyncio.run(_desk(home).define(person_of(login), name, definition, reason=reason))
    print(f"{name}: {len(terms)} channels.")


@virtual.command()
def end(
    name: Annotated[str, typer.Argument(help="Its name.")],
    login: LoginOption,
    reason: ReasonOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """End a virtual channel."""
    asyncio.run(_desk(home).define(person_of(login), name, None, reason=reason))
    print(f"{name}: ended.")


@virtual.command("list")
def list_(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show the virtual channels and what they are made of."""
    found = asyncio.run(_desk(home).virtual_channels())
    if json_output:
        rows = {
            name: [
                {"sign": t.sign, "service_point": str(t.service_point_id), "channel": t.channel.name.lower()}
                for t in d.terms
            ]
            for name, d in found.items()
        }
        print(json.dumps(rows))
        return
    table = _table("Virtual channels", "name", "made of")
    for name, d in found.items():
        terms = (f"{'+' if t.sign > 0 else '-'} {t.service_point_id} {t.channel.name.lower()}" for t in d.terms)
        table.add_row(name, "\n".join(terms))
    print_wide(table, columns=100)


@virtual.command()
def show(
    name: Annotated[str, typer.Argument(help="Its name.")],
    login: LoginOption,
    first: FirstOption,
    end: EndOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show a virtual channel's local days. The look is in the log of every place that it is made of."""
    from openami.app.commands.intervals import day_of
    from openami.app.settings import Settings
    from openami.kernel.time import zone_named
    from openami.mdm.usage.series import daily_totals

    days = (day_of(first, "--from"), day_of(end, "--to") - timedelta(days=1))
    series = asyncio.run(_desk(home).virtual_series(person_of(login), name, *days))
    rows = daily_totals(series, zone_named(Settings.load(home).zone))
    if json_output:
        print(
            json.dumps(
                [{"day": str(r.first), "total": r.total, "estimated": r.estimated, "missing": r.missing} for r in rows]
            )
        )
        return
    table = _table(name, "day", "total", "intervals", "estimated", "missing")
    for r in rows:
        table.add_row(str(r.first), f"{r.total:,}", str(r.intervals), str(r.estimated), str(r.missing))
    print_wide(table, columns=60)


def _desk(home: Path) -> UsageDesk:
    from openami.app.readings.usage_desk import UsageDesk
    from openami.app.settings import Settings

    return UsageDesk(Settings.load(home))


def _question(
    first: str,
    end: str,
    by: str,
    channel: str,
    point: list[str] | None,
    transformer: list[str] | None,
    feeder: list[str] | None,
    bill_group: list[str] | None,
    cycle: Path | None,
    known_at: str | None,
) -> Question:
    from openami.app.commands.intervals import day_of, load_spans
    from openami.app.readings.usage_desk import Question
    from openami.contracts.channel import CHANNEL_BY_NAME
    from openami.mdm.usage.aggregate import Grain
    from openami.mdm.usage.membership import Grouping

    if by not in GRAINS:
        raise MisuseError(f"--by {by!r}: one of {', '.join(GRAINS)}")
    if channel not in CHANNEL_BY_NAME:
        raise MisuseError(f"--channel {channel!r}: one of {', '.join(CHANNEL_BY_NAME)}")
    days = (day_of(first, "--from"), day_of(end, "--to"))
    if days[1] <= days[0]:
        raise MisuseError("--to is not after --from")
    groups = {Grouping.TRANSFORMER: transformer, Grouping.FEEDER: feeder, Grouping.BILL_GROUP: bill_group}
    given = [(grouping, names) for grouping, names in groups.items() if names]
    if len(given) + bool(point) != 1:
        raise MisuseError("give one of --point, --transformer, --feeder and --bill-group")
    periods: tuple[tuple[date, date], ...] = (days,) if by == "total" else ()
    if by == "bill":
        periods = tuple((s.first, s.end) for s in load_spans(*days, cycle))
    return Question(
        channel=CHANNEL_BY_NAME[channel],
        first=days[0],
        last=days[1] - timedelta(days=1),
        grain=Grain(GRAINS[by]),
        grouping=given[0][0] if given else None,
        names=tuple(given[0][1]) if given else (),
        places=tuple(_uuid(p) for p in point or []),
        periods=periods,
        as_known_at=_instant(known_at),
    )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise MisuseError(f"--known-at {text!r} is no instant: 2026-07-01T08:00+00:00 is one") from error
    if instant.tzinfo is None:
        raise MisuseError(f"--known-at {text!r} has no offset from UTC: add +00:00")
    return instant


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise MisuseError(f"{text!r} is not a service point id") from error


def _term(sign: int, text: str) -> Term:
    from openami.contracts.channel import CHANNEL_BY_NAME
    from openami.mdm.usage.virtual import Term

    point, _, channel = text.partition(":")
    if channel not in CHANNEL_BY_NAME:
        raise MisuseError(f"{text!r} is no POINT:CHANNEL; channels are {', '.join(CHANNEL_BY_NAME)}")
    return Term(sign, _uuid(point), CHANNEL_BY_NAME[channel])


def _row(r: GroupUsage) -> dict[str, Any]:
    return {
        "group": r.group, "start": r.start.isoformat(), "end": r.end.isoformat(), "total": r.total,
        "estimated": r.estimated, "estimated_share": r.estimated_share, "intervals": r.intervals,
        "estimated_intervals": r.estimated_intervals, "missing": r.missing, "missing_share": r.missing_share,
    }  # fmt: skip


def _release_row(r: ReleaseRecord) -> dict[str, Any]:
    return {
        "id": str(r.id), "group": r.group, "preset": r.preset, "channel": r.channel.name.lower(), "by": r.grain.value,
        "first": str(r.first), "last": str(r.last), "customers": len(r.customers), "recipient": r.recipient,
        "reason": r.reason, "at": r.real_at.isoformat(),
    }  # fmt: skip


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for column in columns:
        right = column in {"total", "estimated", "missing", "customers", "intervals"}
        table.add_column(column, justify="right" if right else "left")
    return table
