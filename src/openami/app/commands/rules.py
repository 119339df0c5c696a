"""``openami rules``: what validation rules there are, how they are set, and what a change of them runs again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.app.commands.worklist_words import LoginOption, ReasonOption

if TYPE_CHECKING:
    from openami.app.readings.rules_desk import RuleChange, RulesDesk
    from openami.mdm.validation.rule_ports import KeptSetting
    from openami.mdm.vee.ruleset import RuleBook

app = typer.Typer(help="See the rules of validation and set them, from a day on.", no_args_is_help=True)
DayOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="As they hold on this local day; else today.")
]
ShippedOption = Annotated[bool, typer.Option("--shipped", help="As the package ships them; asks no platform.")]
RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule, as `openami rules list` shows it.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Set it; without it you only see what would run again.")]


@app.command("list")
def list_rules(
    on: DayOption = None,
    shipped: ShippedOption = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="As TOML, for `openami vee --rules`.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List every rule with its severity for each channel group, and its thresholds."""
    rows = rows_of(_book(home, shipped=shipped), _day(on))
    if json_output:
        print(json.dumps(rows))
    elif as_toml:
        print(toml_of(rows))
    else:
        _show_rows(rows)


@app.command()
def show(
    rule: RuleArgument,
    on: DayOption = None,
    shipped: ShippedOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show one rule: what it says, its thresholds with their ranges, and who set what when and why."""
    from openami.mdm.vee.ruleset import RuleBook, rule_named

    found = rule_named(rule)
    kept = [] if shipped else [k for k in asyncio.run(_desk(home).kept()) if k.setting.rule == found.id]
    book = RuleBook(tuple(k.setting for k in kept))
    document = {
        "rule": found.id,
        "says": found.says,
        "page": f"docs/vee/{found.id}.md",
        "groups": [r for r in rows_of(book, _day(on)) if r["rule"] == found.id],
        "bounds": {n: {"says": b.says, "low": b.low, "high": b.high} for n, b in found.bounds.items()},
        "settings": [_kept_document(k) for k in kept],
    }
    print(json.dumps(document)) if json_output else _show_rule(document)


@app.command("set")
def set_rule(
    rule: RuleArgument,
    login: LoginOption,
    reason: ReasonOption,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First local day it holds on.")],
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="First local day it holds no more.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="One channel group; else all the rule speaks of.")
    ] = None,
    severity: Annotated[str | None, typer.Option("--severity", help="off, warn, fail or accept.")] = None,
    threshold: Annotated[list[str], typer.Option("--threshold", help="NAME=NUMBER; may be repeated.")] = [],  # noqa: B006
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show what a change runs again and, with --yes, make it: kept for ever with reason, person and first day."""
    from openami.mdm.vee.ruleset import setting_from_words

    last = None if until is None else until.date()
    setting = setting_from_words(rule, group, first.date(), last, severity, threshold)
    desk = _desk(home)
    change = asyncio.run(desk.set(person_of(login), setting, reason=reason) if yes else desk.look(setting))
    print(json.dumps(_change_document(change))) if json_output else print(_change_words(change))


def _desk(home: Path) -> RulesDesk:
    from openami.app.readings.rules_desk import RulesDesk
    from openami.app.settings import Settings

    return RulesDesk(Settings.load(home))


def _book(home: Path, *, shipped: bool) -> RuleBook:
    from openami.mdm.vee.ruleset import RuleBook

    return RuleBook() if shipped else RuleBook(tuple(k.setting for k in asyncio.run(_desk(home).kept())))


def _day(on: datetime | None) -> date:
    from openami.app.settings import real_now

    return (on or real_now()).date()


def rows_of(book: RuleBook, day: date) -> list[dict[str, Any]]:
    """Return a row for each rule and severity with thresholds: groups that agree share one."""
    from openami.mdm.vee.rules.catalog import RULES

    rows: list[dict[str, Any]] = []
    for rule in RULES:
        alike: dict[tuple[Any, ...], list[str]] = {}
        for group in sorted(rule.groups):
            state = book.on(group, day)[rule.id]
            alike.setdefault((state.severity.value, tuple(sorted(state.thresholds.items()))), []).append(group.value)
        for (severity, thresholds), groups in alike.items():
            rows.append({
                "rule": rule.id, "severity": severity, "groups": groups, "thresholds": dict(thresholds),
                "says": rule.says,
            })  # fmt: skip
    return rows


def toml_of(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows in the form of the shipped file: the first row of a rule is its table, the others one a group."""
    lines: list[str] = []
    seen: set[str] = set()
    for row in rows:
        names = [row["rule"]] if row["rule"] not in seen else [f"{row['rule']}.{g}" for g in row["groups"]]
        seen.add(row["rule"])
        for name in names:
            lines += [f"[{name}]", f'severity = "{row["severity"]}"']
            lines += [f"{n} = {v!r}" for n, v in row["thresholds"].items()] + [""]
    return "\n".join(lines)


def _show_rows(rows: Sequence[dict[str, Any]]) -> None:
    table = Table("rule", "severity", "for", "thresholds", "says", box=SIMPLE)
    for row in rows:
        numbers = ", ".join(f"{n} {v:g}" for n, v in row["thresholds"].items())
        table.add_row(row["rule"], row["severity"], _groups_words(row["groups"]), numbers, row["says"])
    print_wide(table, columns=190)


def _groups_words(groups: Sequence[str]) -> str:
    from openami.mdm.vee.rules.rule import ChannelGroup

    return "all" if len(groups) == len(ChannelGroup) else ", ".join(groups)


def _show_rule(document: dict[str, Any]) -> None:
    print(f"{document['rule']}: {document['says']}")
    print(f"  Definition, formula, source and test vectors: {document['page']}")
    for row in document["groups"]:
        numbers = ", ".join(f"{n} = {v:g}" for n, v in row["thresholds"].items())
        print(f"  {row['severity']} for {_groups_words(row['groups'])}" + (f": {numbers}" if numbers else ""))
    for name, bound in document["bounds"].items():
        print(f"  {name}: {bound['says']}; {bound['low']:g} to {bound['high']:g}")
    if not document["settings"]:
        print("  Nobody has set it: this is what the package ships.")
        return
    table = Table("set at", "by", "what", "reason", box=SIMPLE)
    for row in document["settings"]:
        table.add_row(row["at"][:16].replace("T", " "), row["by"][:8], row["words"], row["reason"])
    print_wide(table, columns=150)


def _kept_document(kept: KeptSetting) -> dict[str, Any]:
    from openami.app.readings.rules_desk import words_of

    s = kept.setting
    return {
        "id": kept.id, "words": words_of(s), "group": s.group, "first": s.first.isoformat(),
        "until": s.until.isoformat() if s.until else None, "severity": s.severity, "thresholds": dict(s.thresholds),
        "reason": kept.reason, "by": str(kept.by), "at": kept.at.isoformat(),
    }  # fmt: skip


def _change_document(change: RuleChange) -> dict[str, Any]:
    from openami.app.readings.rules_desk import words_of

    r = change.reach
    return {
        "rule": change.setting.rule, "words": words_of(change.setting),
        "state": "preview" if change.kept is None else "set",
        "runs_again": {
            "days": r.days, "first": r.first.isoformat() if r.first else None,
            "last": r.last.isoformat() if r.last else None, "service_points": r.service_points,
        },
    }  # fmt: skip


def _change_words(change: RuleChange) -> str:
    from openami.app.readings.rules_desk import words_of

    r = change.reach
    what = f"Rule {change.setting.rule}: {words_of(change.setting)}."
    again = "No day that has run is touched: it holds from its first day on."
    if r.days:
        again = f"{r.days:,} days run again, {r.first} to {r.last}, at {r.service_points:,} service points."
    return f"{what}\n{again}\n" + ("Set." if change.kept is not None else "Nothing was changed: add --yes to set it.")
