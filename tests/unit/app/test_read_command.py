"""``openami read`` seals under a new name each time: the counter is a word in the clear that anybody may alter."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import pytest
import typer
from typer.testing import CliRunner

from openami.app.commands import read as command
from openami.app.devices.lone_meter import shipped_meter
from openami.network.exchange import NoAnswerError
from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import AssociationRequest


class Recorder:
    """A way to a meter that answers nothing and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def exchange(self, apdu: bytes) -> bytes:
        self.asked.append(apdu)
        raise NoAnswerError("not there")

    async def close(self) -> None:
        return


def test_one_counter_given_twice_makes_no_initialization_vector_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "meter.json"
    shipped_meter(keys, secret=token_bytes, now=datetime(2026, 7, 1, tzinfo=UTC))
    way = Recorder()

    async def opened(_target: object, _client: int) -> Recorder:
        return way

    monkeypatch.setattr(command._Target, "open", opened)
    tool = typer.Typer()
    tool.command()(command.read)
    for _ in range(2):
        CliRunner().invoke(tool, ["127.0.0.1:4059", "--keys", str(keys), "--counter", "7"])
    requests = [messages.decode(apdu) for apdu in way.asked]
    titles = [r.calling_title for r in requests if isinstance(r, AssociationRequest)]
    assert len(set(titles)) == len(titles) == 2
