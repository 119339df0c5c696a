"""``openami quarantine``: frames that the gateway keeps aside, and two people who let some out."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive_body import ID_OCTETS
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.quarantine_desk import QuarantineDesk
    from openami.security.access.order import Order

app = typer.Typer(help="Look at frames that the gateway keeps aside, and let some out.", no_args_is_help=True)
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
LATEST_S = 253_402_214_400


@app.command("list")
def list_frames(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """List refused frames, newest first. Those that people may release have an id."""
    frames = asyncio.run(_desk(home).newest(limit=limit))
    rows = [
        {
            "id": f.frame_id,
            "reason": f.reason.value,
            "system_title": f.system_title,
            "collector": f.collector_id,
            "collected": _instant(f.collected_at_ms),
            "refused": _instant(f.refused_at_ms),
            "octets": f.octets,
            "state": "released" if f.is_released else "may be released" if f.is_releasable else "stays",
        }
        for f in frames
    ]
    if json_output:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table(box=SIMPLE)
    for column in ("refused", "reason", "device", "collector", "octets", "state", "id"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        shown = row["id"] if row["state"] == "may be released" else ""
        table.add_row(
            str(row["refused"]), str(row["reason"]), str(row["system_title"]), str(row["collector"]),
            str(row["octets"]), str(row["state"]), str(shown),
        )  # fmt: skip
    print_wide(table, columns=150)


@app.command()
def release(
    login: LoginOption,
    why: Annotated[str, typer.Option("--why", help="Why, for the log: at most 160 ASCII characters.")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of frames.")] = None,
    reason: Annotated[
        RefusalReason | None, typer.Option(help="Instead of ids: all that were refused for this.")
    ] = None,
    collector: Annotated[int | None, typer.Option(help="With --reason: of this collector alone.", min=1)] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Order that frames be let out. They go to the head-end once another person has approved it."""
    if bool(ids) == (reason is not None):
        raise MisuseError("name frames by their ids, or all of one --reason")
    desk = _desk(home)
    wanted = [_id(text) for text in ids or ()]
    if reason is not None:
        wanted = asyncio.run(desk.chosen(reason=reason, collector_id=collector))
    _say(asyncio.run(desk.release(person_of(login), wanted, reason=why)), json_output=json_output)


@app.command()
def approve(
    order: Annotated[UUID, typer.Argument(metavar="ORDER", help="Id of the order.")],
    login: LoginOption,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Approve what somebody else has ordered: exactly these frames."""
    _say(asyncio.run(_desk(home).approve(person_of(login), order)), json_output=json_output)


def _say(order: Order, *, json_output: bool) -> None:
    from openami.app.orders.order_desk import standing_words

    people = len({a.human_id for a in order.approvals})
    state = standing_words(order)
    if json_output:
        document = {"order": str(order.subject.order_id), "frames": order.item_count, "approved_by": people}
        print(json.dumps(document | {"state": state, "digest": order.subject.digest().hex()}))
        return
    print(f"Order {order.subject.order_id}, {order.subject.action}: {state}.")
    if people < 2:
        print(f"Another person lets it happen: openami quarantine approve {order.subject.order_id} --as LOGIN")


def _id(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != ID_OCTETS:
        raise MisuseError(f"{text!r} is no id of a frame: it has {2 * ID_OCTETS} hexadecimal digits")
    return octets


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(min(at_ms // 1000, LATEST_S), UTC).isoformat()


def _desk(home: Path) -> QuarantineDesk:
    from openami.app.devices.quarantine_desk import QuarantineDesk
    from openami.app.settings import Settings

    return QuarantineDesk(Settings.load(home))
