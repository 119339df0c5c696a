"""``openami bills``: the bills of a running platform, as work and as papers."""

from __future__ import annotations

import typer

from openami.app.commands.bills_cycle import due, held, hold, lift, release, run, show
from openami.app.commands.bills_dry_run import dry_run
from openami.app.commands.bills_papers import call, explain, rebuild, statement, why
from openami.app.commands.ledger import balance

app = typer.Typer(help="See bills: why each figure is as it is, and the document that went out.", no_args_is_help=True)
app.command("call")(call)
app.command("explain")(explain)
app.command("rebuild")(rebuild)
app.command("statement")(statement)
app.command("why")(why)
app.command("balance")(balance)
app.command("dry-run")(dry_run)
for command in (due, run, held, show, release, hold, lift):
    app.command(command.__name__)(command)
