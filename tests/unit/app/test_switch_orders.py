"""How an order stands, in one word, from its approvals, its window and its meters."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.headend.switching.desk import ANNA, BEN, HOUR, MemoryOrders
from typer.testing import CliRunner

from openami.app.commands.orders import app
from openami.app.orders.switch_standing import OrderState, state_of
from openami.headend.switching.list_file import read_list
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchReason, SwitchSubject
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.security.access.order import LAPSE, Order

NOW = datetime(2026, 4, 14, 15, tzinfo=UTC)
CUT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)
PAID = SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID)
ITEM = SwitchItem(SystemTitle(b"OAM\x00\x00\x00\x00\x01"), UUID(int=1))


def order(subject: SwitchSubject = CUT, people: tuple[UUID, ...] = (ANNA, BEN), document: bytes = b"") -> Order:
    return MemoryOrders().make(subject, [ITEM], now=NOW, people=people, document=document)


@pytest.mark.parametrize(
    ("made", "counts", "at", "state"),
    [
        (order(people=(ANNA,)), {}, NOW, OrderState.WAITS_FOR_APPROVAL),
        (order(people=(ANNA,)), {}, NOW + LAPSE, OrderState.LAPSED),
        (order(people=(ANNA,)), {}, NOW + 9 * HOUR, OrderState.LAPSED),
        (order(), {}, NOW - timedelta(seconds=1), OrderState.WAITS_FOR_APPROVAL),
        (order(), {}, NOW, OrderState.RUNNING),
        (order(), {"waiting": 1}, NOW + LAPSE, OrderState.RUNNING),
        (order(), {"running": 1, "paid": 3}, NOW, OrderState.RUNNING),
        (order(), {"switched": 2, "paid": 3}, NOW, OrderState.ENDED),
        (order(), {}, NOW + 9 * HOUR, OrderState.ENDED),
        (order(PAID, ()), {}, NOW, OrderState.WAITS_FOR_APPROVAL),
        (order(PAID, (), b"a signed list"), {}, NOW, OrderState.RUNNING),
        (replace(order(), withdrawn_at=NOW), {"switched": 1}, NOW, OrderState.WITHDRAWN),
    ],
)
def test_an_order_stands_so(made: Order, counts: dict[str, int], at: datetime, state: OrderState) -> None:
    subject = PAID if made.subject.action == "reconnect" else CUT
    if state is OrderState.WAITS_FOR_APPROVAL and at < NOW:
        # Approved in the future: a clock that went back counts nothing twice.
        assert state_of(made, subject, counts, now=at) in {OrderState.WAITS_FOR_APPROVAL, OrderState.WAITS_FOR_WINDOW}
    else:
        assert state_of(made, subject, counts, now=at) is state


def sign(tmp_path: Path, text: str, *, action: str = "disconnect") -> object:
    meters = tmp_path / "meters"
    meters.write_text(text)
    arguments = ["sign", action, "--meters", str(meters), "--key", str(tmp_path / "k"), "--out", str(tmp_path / "l")]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout)


def test_a_list_to_try_is_signed_with_a_key_that_is_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        sign(tmp_path, f"{ITEM.title} {ITEM.service_point_id}\n")
        public = bytes.fromhex((tmp_path / "k.pub").read_text())
        found = read_list((tmp_path / "l").read_bytes(), public_keys=[public])
        assert found.places == ((ITEM.title, ITEM.service_point_id),)


@pytest.mark.parametrize(
    ("text", "action", "word"),
    [
        ("nonsense\n", "disconnect", "line 1"),
        (f"{ITEM.title} x\n", "disconnect", "line 1"),
        (f"{ITEM.title} {ITEM.service_point_id}\n", "explode", "none of"),
    ],
)
def test_what_cannot_be_signed_is_refused_in_words(tmp_path: Path, text: str, action: str, word: str) -> None:
    with pytest.raises(MisuseError, match=word):
        sign(tmp_path, text, action=action)
