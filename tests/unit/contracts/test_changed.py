"""News of changed days: what goes in comes out, and what is no news is refused by one error."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from openami.contracts.changed import MAX_DAYS, ChangedDay, DaysChanged, news_of
from openami.contracts.channel import Channel
from openami.contracts.errors import ContractError

RUN, FIRST, LAST = UUID(int=7), date(2026, 3, 1), date(2026, 3, 9)


def days(count: int) -> list[ChangedDay]:
    return [ChangedDay(UUID(int=n + 1), Channel.DELIVERED, FIRST, 2) for n in range(count)]


def test_news_come_back_as_they_were_said_in_order() -> None:
    said = news_of(RUN, FIRST, LAST, versions=9, days=days(3)[::-1])
    assert DaysChanged.from_octets(said.to_octets()) == said
    assert said.days == tuple(days(3))


@pytest.mark.parametrize("found", [None, days(MAX_DAYS + 1)])
def test_more_days_than_a_message_holds_are_many_with_their_span(found: list[ChangedDay] | None) -> None:
    said = news_of(RUN, FIRST, LAST, versions=9_999, days=found)
    assert (said.many, said.days, said.first, said.last) == (True, (), FIRST, LAST)


def row(**changes: Any) -> bytes:
    return json.dumps(json.loads(news_of(RUN, FIRST, LAST, versions=1, days=days(1)).to_octets()) | changes).encode()


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"[]", b"{}", b"\xff", row(days=5), row(days=[[1]]), row(days=[["zz", 1, "2026-03-01", 1]]),
        row(days=[[UUID(int=1).hex, 99, "2026-03-01", 1]]), row(days=[[UUID(int=1).hex, 1, "2026-13-01", 1]]),
        row(run_id=None), row(versions="many"), row(first="2026-03-10"),
        row(days=[[UUID(int=1).hex, 1, "2026-03-01", 1]] * (MAX_DAYS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_news_is_refused(octets: bytes) -> None:
    with pytest.raises(ContractError):
        DaysChanged.from_octets(octets)
