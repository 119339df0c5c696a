"""``openami keys``: shipments of meter keys into the vault, and where keys stand. No key is ever printed."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands import keys_leak, keys_rotate, keys_vault
from openami.app.commands.keys_groups import group_app
from openami.app.commands.person import person_of
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.security.keys.level import SecurityLevel
    from openami.security.keys.status import MeterKeys, VaultStatus

app = typer.Typer(help="Take shipments of meter keys, and see and change where keys stand.", no_args_is_help=True)
SHOWN = 200
"""Meters in a table; --json gives all."""
LimitOption = Annotated[int, typer.Option(help="At most so many meters.", min=1, max=10_000_000)]


@app.command("import")
def import_shipment(
    file: Annotated[Path, typer.Argument(help="The manufacturer's shipment file.", exists=True, dir_okay=False)],
    plain: Annotated[
        bool, typer.Option("--plain", help="Take a file that no maker sealed, too: whoever carried it has its keys.")
    ] = False,
    login: Annotated[
        str, typer.Option("--as", metavar="LOGIN", help="Your staff login: the import is in the audit log then.")
    ] = "",
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Take a shipment, whole or not at all. The same shipment again changes nothing."""
    from openami.app.devices.shipment import take_shipment
    from openami.app.keys.key_desk import KeyDesk
    from openami.app.settings import Settings
    from openami.security.keys.shipment import ShipmentError

    settings = Settings.load(home)
    try:
        if login:
            taking = KeyDesk(settings).take_shipment(person_of(login), file, plain=plain)
        else:
            taking = take_shipment(settings, file, plain=plain)
        report = asyncio.run(taking)
    except ShipmentError as error:
        _print_findings(error, json_output=json_output)
        raise
    if json_output:
        rows = [{"meter": str(m.meter_id), "system_title": str(m.system_title)} for m in report.meters]
        print(json.dumps({"shipment": report.shipment_id, "already_taken": report.already_taken, "meters": rows}))
    else:
        word = "was taken before" if report.already_taken else "taken"
        print(f"Shipment {report.shipment_id} {word}: {len(report.meters)} meters have keys.")


@app.command("list")
def list_keys(
    level: Annotated[str, typer.Option(help="Meters of this level alone: compromised, none, factory or secured.")] = "",
    limit: LimitOption = 1_000,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List meters with the state and age of their keys, those that need somebody first."""
    from openami.app.keys.key_desk import KeyDesk
    from openami.app.settings import Settings

    settings = Settings.load(home)
    meters = asyncio.run(KeyDesk(settings).meters(level=_level(level), limit=limit))
    now = settings.clock().now()
    if json_output:
        for m in meters:
            print(json.dumps(_meter_document(m, now)))
        return
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("system title", "serial", "profile", "level", "keys", "age", "new", "master"):
        table.add_column(name, no_wrap=name in {"system title", "serial"})
    for m in meters[:SHOWN]:
        row = _meter_document(m, now)
        table.add_row(
            row["system_title"],
            m.serial,
            m.profile,
            row["level"],
            _number(m.generation),
            f"{row['age_days']:.1f} d" if row["age_days"] is not None else "-",
            _number(m.new_generation),
            _number(m.master_generation),
        )
    Console(markup=False).print(table)
    if len(meters) > SHOWN:
        print(f"... and {len(meters) - SHOWN} more: use --json")


@app.command()
def status(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Say where the keys of the installation stand: levels, states, the key above them, what leaked, what is broken."""
    from openami.app.keys.key_desk import KeyDesk
    from openami.app.settings import Settings

    settings = Settings.load(home)
    found, root = asyncio.run(KeyDesk(settings).status())
    document = _status_document(found, root, settings.clock().now())
    if json_output:
        print(json.dumps(document))
        return
    table = Table(show_header=False, box=None)
    for name, words in _status_words(document):
        table.add_row(name, words)
    Console(markup=False).print(table)


def _level(text: str) -> SecurityLevel | None:
    from openami.security.keys.level import SecurityLevel

    if not text:
        return None
    try:
        return SecurityLevel[text.upper()]
    except KeyError:
        raise MisuseError(f"level {text!r} is none of compromised, none, factory, secured") from None


def _number(number: int | None) -> str:
    return "-" if number is None else str(number)


def _age_days(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else round((now - since).total_seconds() / 86_400, 3)


def _meter_document(m: MeterKeys, now: datetime) -> dict[str, Any]:
    return {
        "meter": str(m.meter_id),
        "system_title": str(m.system_title),
        "serial": m.serial,
        "profile": m.profile,
        "level": m.level.name.lower(),
        "generation": m.generation,
        "active_at": m.active_at.isoformat() if m.active_at else None,
        "age_days": _age_days(m.active_at, now),
        "new_generation": m.new_generation,
        "master_generation": m.master_generation,
    }


def _status_document(found: VaultStatus, root: str, now: datetime) -> dict[str, Any]:
    return {
        "meters": found.meters,
        "levels": {level.name.lower(): count for level, count in sorted(found.levels.items())},
        "keys": [{"use": u.value, "state": s.value, "keys": n} for (u, s), n in sorted(found.states.items())],
        "oldest_age_days": _age_days(found.oldest_active_at, now),
        "without_master_key": found.without_master,
        "root_key": root,
        "installation_key": found.installation_version,
        "left_to_rewrap": found.left_to_rewrap,
        "retired_installation_keys": found.retired,
        "makers": found.makers,
        "unsigned_shipments": found.unsigned_shipments,
        "spoiled": found.spoiled,
    }


def _status_words(document: dict[str, Any]) -> list[tuple[str, str]]:
    levels = ", ".join(f"{count} {level}" for level, count in document["levels"].items()) or "none"
    states = ", ".join(f"{row['keys']} {row['use']} {row['state']}" for row in document["keys"]) or "none"
    left, oldest = document["left_to_rewrap"], document["oldest_age_days"]
    return [
        ("meters", f"{document['meters']}: {levels}"),
        ("keys", states),
        ("oldest pair in use", "-" if oldest is None else f"{oldest:.1f} days"),
        ("without a master key", f"{document['without_master_key']}: their keys change by an exchange of the meter"),
        ("root key", document["root_key"]),
        (
            "installation key",
            f"version {document['installation_key']}"
            + (f", {left} keys still under an older one: openami keys rewrap --go-on" if left else ""),
        ),
        ("makers believed", str(document["makers"])),
        ("shipments that came in clear", str(document["unsigned_shipments"])),
        ("keys that do not open", f"{document['spoiled']}" + (": openami keys alerts" if document["spoiled"] else "")),
    ]


def _print_findings(error: Any, *, json_output: bool) -> None:
    """Print each thing that is wrong with a shipment: line, serial where it is known, and why."""
    rows = [
        {"rule": f.rule, "line": f.subject, "serial": f.evidence.get("serial"), "why": f.evidence["why"]}
        for f in error.findings
    ]
    if json_output:
        print(json.dumps({"refused": str(error), "findings": rows}))
        return
    table = Table("line", "serial", "rule", "why")
    for row in rows[:SHOWN]:
        table.add_row(row["line"], row["serial"] or "-", row["rule"], row["why"])
    if rows:
        Console(markup=False).print(table)


keys_vault.add_to(app)
keys_leak.add_to(app)
app.add_typer(group_app, name="group")
app.add_typer(keys_rotate.app, name="rotate")
