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
from openami.kernel.obis import Obis
from openami.protocol.apdu import services
from openami.protocol.apdu.codec import OtherApdu
from openami.protocol.apdu.event import EventNotification
from openami.protocol.apdu.notification import DataNotification
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Data, Tag, octet_string, structure
from openami.protocol.axdr.types import BitString, CompactArray, TypeDescription
from openami.protocol.cosem.reference import ActionResult, AttributeRef, CaptureObject, DataAccessResult, RangeSelection
from openami.protocol.envelope.blocks import Block
from openami.protocol.envelope.link.events import ApduReceived

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


DATA = Data(Tag.DOUBLE_LONG_UNSIGNED, READING)
OCTETS = str(READING).encode()
ROW = structure(DATA, octet_string(OCTETS))
ARRAY = Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.DOUBLE_LONG_UNSIGNED), (DATA,)))
ATTRIBUTE = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
BLOCK = services.DataBlock(True, 1, OCTETS)
MESSAGES = [
    DATA, ROW, ARRAY, BitString(64, OCTETS), BLOCK,
    services.GetResponse(1, ROW),
    services.GetResponseBlock(1, True, 1, OCTETS),
    services.GetResponseList(1, (DATA, ROW)),
    services.SetRequest(1, ATTRIBUTE, RangeSelection(CaptureObject(3, ATTRIBUTE.instance, 2), DATA, DATA), DATA),
    services.ActionResponse(1, services.ActionOutcome(ActionResult.SUCCESS, DATA)),
    services.ActionResponseBlock(1, BLOCK),
    services.AccessOutcome(services.AccessKind.GET, DataAccessResult.SUCCESS, DATA),
    DataNotification(1, None, ROW),
    EventNotification(None, 3, ATTRIBUTE.instance, 2, DATA),
    OtherApdu(ApduTag.EXCEPTION_RESPONSE, OCTETS),
    Block(1, 0, OCTETS, is_last=True),
    ApduReceived(OCTETS),
]  # fmt: skip


@pytest.mark.parametrize("value", MESSAGES, ids=lambda v: type(v).__name__)
def test_a_value_from_the_wire_is_in_no_repr(value: object) -> None:
    assert str(READING) not in repr(value)
    assert str(READING) not in f"{value}"


@pytest.mark.parametrize(
    "value",
    [FIGURE, REGISTER, INTERVAL, ANSWER, ANSWER.readings, ANSWER.registers, ASKED, AskedRequest(ASKED, (FIGURE,))],
    ids=lambda v: type(v).__name__,
)
def test_a_reading_is_in_no_repr(value: object) -> None:
    assert str(READING) not in repr(value)
    assert str(READING) not in f"{value}"
