"""``openami exchange`` at the command line: what it prints, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.exchange.test_inbox import MASTER, NOW, SNAPSHOT
from typer.testing import CliRunner, Result

from openami.app.commands.exchange_all import app
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Home, Settings
from openami.mdm.exchange.errors import MessageRefusedError

pytestmark = pytest.mark.engines


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def test_a_message_is_taken_its_rejects_are_listed_and_a_snapshot_is_compared(
    postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=datetime.now(UTC), domain_origin=NOW).save()
    master, answer = short_tmp / "m.csv", short_tmp / "a.csv"
    wrong = "rate,6,,SP-9,,,,,,,,R-1,2026-02-01T06:00:00Z,\n"
    master.write_text(MASTER.format(serial="SN-1", more=wrong, count=6))
    taken = run(short_tmp, "take", str(master), "--out", str(answer), "--json")
    assert taken.exit_code == 1, taken.output
    document = json.loads(taken.stdout)
    assert (document["accepted"], document["rejected"], document["repeat"]) == (5, 1, False)
    assert answer.read_text().startswith("openami acknowledgement 1,openami,M-1,")
    (waiting,) = [json.loads(line) for line in run(short_tmp, "rejects", "--json").stdout.splitlines()]
    assert (waiting["id"], waiting["code"]) == ("6", "unknown")
    snapshot = short_tmp / "s.csv"
    snapshot.write_text(SNAPSHOT.format(number="S-1", rows="SP-1,SN-1,R-1,7\n", count=1))
    compared = run(short_tmp, "reconcile", str(snapshot), "--json")
    assert json.loads(compared.stdout)["counts"] == {}
    assert compared.exit_code == 1, "a record still waits"
    broken = short_tmp / "b.csv"
    broken.write_text(master.read_text().replace("end,6", "end,7"))
    refused = run(short_tmp, "take", str(broken))
    assert isinstance(refused.exception, MessageRefusedError)
    assert "counts" in str(refused.exception)
