"""Our meter's pushes have the octets that docs/protocol/push-layouts.md shows, written there by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from openami.contracts.channel import Channel
from openami.headend.profiles import PushKind, interpret, rows_of
from openami.protocol import apdu
from openami.protocol.push import (
    EventRow,
    LoadProfileRow,
    RegisterRow,
    event_body,
    load_profile_body,
    register_body,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol" / "push-layouts.md"
END = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)


def read(body_of: apdu.DataNotification) -> apdu.DataNotification:
    decoded = apdu.decode(apdu.encode(body_of))
    assert isinstance(decoded, apdu.DataNotification)
    return decoded


def test_the_octets_of_the_document_are_those_on_the_wire() -> None:
    shown = re.search(r"```\n(0F.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    row = LoadProfileRow(END, 0, 250, 0, 2400)
    sent = apdu.encode(apdu.DataNotification(1, None, load_profile_body([row])))
    assert sent == bytes.fromhex(shown.group(1))
    assert len(sent) == 18 + 31


def test_an_interval_is_stored_by_its_start() -> None:
    push = interpret(read(apdu.DataNotification(1, None, load_profile_body([LoadProfileRow(END, 128, 250, 7, 2400)]))))
    assert (push.profile, push.kind, push.interval_s) == ("oam-1", PushKind.LOAD_PROFILE, 900)
    (row,) = rows_of(push).intervals
    assert (row.start, row.interval_s, row.status) == (datetime(2026, 3, 1, tzinfo=UTC), 900, 128)
    assert dict(row.values) == {Channel.DELIVERED: 250, Channel.RECEIVED: 7, Channel.VOLTAGE: 2400}


def test_a_register_push_gives_reads_of_both_registers() -> None:
    push = interpret(read(apdu.DataNotification(1, None, register_body([RegisterRow(END, 2**32 - 1, 5)]))))
    reads = rows_of(push).registers
    assert [(r.at, r.channel, r.value) for r in reads] == [
        (END, Channel.DELIVERED, 2**32 - 1),
        (END, Channel.RECEIVED, 5),
    ]


def test_an_event_push_gives_log_and_code() -> None:
    push = interpret(read(apdu.DataNotification(1, None, event_body([EventRow(END, 0, 1), EventRow(END, 1, 44)]))))
    assert [(e.at, e.log, e.code) for e in rows_of(push).events] == [(END, 0, 1), (END, 1, 44)]
