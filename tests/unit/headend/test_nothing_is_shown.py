"""What meters say of a home is shown by no repr: a log or a traceback that prints a value tells no reading."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from openami.contracts.channel import Channel
from openami.headend.api import AskedRequest
from openami.headend.keeping.answer import Answer, Figure, reading_batch, register_batch
from openami.headend.keeping.request import Lane, Request, RequestKind
from openami.headend.profiles import IntervalRow, RegisterRow
from openami.kernel.ids import SystemTitle

READING = 24_131_402
AT = datetime(2026, 7, 1, tzinfo=UTC)
ASKED = Request(
    UUID(int=1), UUID(int=2), SystemTitle(b"OAM00001"), RequestKind.PING, Lane.PERSON, 0, 0, 0,
    words=f"the meter answers and has {READING} V",
)  # fmt: skip
FIGURE = Figure("delivered", float(READING), "Wh")
REGISTER = RegisterRow(AT, Channel.DELIVERED, READING)
INTERVAL = IntervalRow(AT, 900, 0, ((Channel.DELIVERED, READING),))
ANSWER = Answer(
    readings=reading_batch(ASKED, [INTERVAL]), registers=register_batch(ASKED, [REGISTER]), figures=(FIGURE,),
    words=ASKED.words,
)  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [FIGURE, REGISTER, INTERVAL, ANSWER, ANSWER.readings, ANSWER.registers, ASKED, AskedRequest(ASKED, (FIGURE,))],
    ids=lambda v: type(v).__name__,
)
def test_a_reading_is_in_no_repr(value: object) -> None:
    assert str(READING) not in repr(value)
    assert str(READING) not in f"{value}"
