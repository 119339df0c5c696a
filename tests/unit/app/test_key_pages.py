"""The console's keys: acts over the desks, of exactly what was seen, and words for what is left over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from openami.app.people.desk import Decided
from openami.app.web.keys import KeyPages, _left_over, _residual
from openami.headend.command.key_orders import EVERY_METER
from openami.headend.keeping.rekey import Cause, Rekey, RekeyStep
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.portal.ports import RefusedError
from openami.security.access.order import Order, OrderApproval, OrderKind, OrderSubject, digest_of_items
from openami.security.access.role import Principal, Role
from openami.security.keys.marks import Residual

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ME = Principal(UUID(int=1), frozenset({Role.ENGINEER}))
TITLE = SystemTitle(b"OAM\x00\x00\x00\x00\x01")
SUBJECT = OrderSubject(
    UUID(int=9), OrderKind.KEYS, EVERY_METER, "as every year", digest_of_items([]), Period(NOW, NOW + timedelta(days=9))
)
FIRST = OrderApproval(uuid4(), SUBJECT.order_id, SUBJECT.digest(), UUID(int=2), UUID(int=2), NOW)
ORDER = Order(SUBJECT, UUID(int=2), NOW, 0, (FIRST,))


@dataclass
class Desk:
    """Both desks: what was asked of them is kept."""

    acts: list[tuple[Any, ...]] = field(default_factory=list)

    async def orders(self) -> list[Order]:
        return [ORDER]

    async def order_all(self, person: Decided, *, reason: str, days: float) -> Order:
        self.acts.append(("all", person, days))
        return ORDER

    async def order_named(self, person: Decided, titles: set[SystemTitle], *, reason: str, days: float) -> Order:
        self.acts.append(("named", person, titles))
        return ORDER

    async def approve(self, person: Decided, order_id: UUID) -> Order:
        self.acts.append(("approve", person, order_id))
        return ORDER

    async def compromise(
        self, person: Decided, titles: list[SystemTitle], *, reason: str, masters: bool
    ) -> tuple[UUID, int]:
        self.acts.append(("leak", titles, masters))
        return UUID(int=5), len(titles)


def pages() -> tuple[KeyPages, Desk]:
    desk = Desk()
    return KeyPages(cast("Any", None), cast("Any", desk), cast("Any", desk), FixedClock(NOW)), desk


async def test_an_order_is_of_whom_the_page_let_in_for_every_meter_or_for_those_named() -> None:
    page, desk = pages()
    await page.order(ME, None, days=366, reason="as every year")
    await page.order(ME, [str(TITLE), str(TITLE)], days=1, reason="a lost laptop")
    assert desk.acts == [("all", Decided(ME), 366), ("named", Decided(ME), {TITLE})]


async def test_only_the_order_that_was_seen_is_approved() -> None:
    page, desk = pages()
    with pytest.raises(RefusedError, match="not what you saw"):
        await page.approve(ME, SUBJECT.order_id, digest="00" * 32)
    with pytest.raises(RefusedError, match="no such order"):
        await page.approve(ME, uuid4(), digest=SUBJECT.digest().hex())
    assert desk.acts == []
    await page.approve(ME, SUBJECT.order_id, digest=SUBJECT.digest().hex())
    assert [a[0] for a in desk.acts] == ["approve"]


async def test_a_title_that_is_none_marks_no_meter() -> None:
    page, desk = pages()
    with pytest.raises(RefusedError, match="8 octets"):
        await page.leak(ME, [str(TITLE), "00ff"], masters=False, reason="a lost laptop")
    assert desk.acts == []
    assert (await page.leak(ME, [str(TITLE)], masters=True, reason="a lost laptop")).meters == 1


@pytest.mark.parametrize(
    ("has_master", "master", "is_new_kept", "words"),
    [
        (False, False, False, "exchange the meter"),
        (True, True, True, "another one, or a visit"),
        (True, False, True, "wait for its proof"),
        (True, False, False, "Waits for its turn"),
    ],
)
def test_a_meter_with_leaked_keys_says_what_helps(
    has_master: bool, master: bool, is_new_kept: bool, words: str
) -> None:
    one = Residual(uuid4(), TITLE, "S1", NOW, True, master, is_new_kept, has_master)
    assert words in _residual(one).words


def test_what_failed_has_no_next_time_and_waits_for_a_person() -> None:
    job = Rekey(uuid4(), TITLE, Cause.FACTORY, RekeyStep.FAILED, 1.0, tries=4, not_before_s=9.0, words="it says no")
    assert _left_over(job).next_at is None
