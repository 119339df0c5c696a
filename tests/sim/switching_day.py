"""A list of 200 through a working day, as a table: ``python -m tests.sim.switching_day``.

Of the 200, 12 pay after the approval, 5 are held for a medical reason, and no collector hears 3.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table
from tests.sim.switching_field import NON_PAYMENT, PAID, Field
from tests.unit.headend.switching.desk import HOUR

from openami.headend.switching.blocks import BlockCode, Stop, SwitchFacts
from openami.headend.switching.life import WORDS
from openami.headend.switching.order import SwitchItem, SwitchReason
from openami.headend.switching.rules_file import rules_of
from openami.kernel.time import Period
from openami.security.access.order import Order

MORNING = datetime(2026, 4, 14, 13, 5, tzinfo=UTC)
"""Five past eight on a Tuesday in St. Louis: nothing binds, and the day is long."""


def paid(field: Field, item: SwitchItem) -> None:
    """The customer information system says that this place has paid now."""
    stop = Stop(BlockCode.PAID, frozenset({SwitchReason.NON_PAYMENT}), _always(field), field.now)
    field.facts.known[item.service_point_id] = SwitchFacts(item.service_point_id, (stop,))


def held_medical(field: Field, item: SwitchItem) -> None:
    """The customer room holds this place for a medical reason; only that it holds is told."""
    stop = Stop(BlockCode.HOLD, rules_of().stopped_by("medical", field.now.date()), _always(field))
    field.facts.known[item.service_point_id] = SwitchFacts(item.service_point_id, (stop,))


def _always(field: Field) -> Period:
    return Period(field.now - HOUR, field.now + 1_000 * HOUR)


async def working_day() -> tuple[Field, Order]:
    """Return the street and the order after seven hours."""
    field = Field(200, MORNING)
    items = field.items()
    order = field.list_of(NON_PAYMENT, items)
    await field.run(timedelta(minutes=1))
    for item in items[:12]:
        paid(field, item)
    for item in items[12:17]:
        held_medical(field, item)
    field.silent.update(item.title for item in items[17:20])
    await field.run(7 * HOUR)
    return field, order


async def main() -> None:
    """Print what became of the list, and of one payment."""
    field, order = await working_day()
    table = Table("meters", "what became of them", title="A list of 200, approved by two people")
    for code, meters in sorted(field.codes(order).items(), key=lambda row: -row[1]):
        table.add_row(str(meters), WORDS[code] if code is not None else "not ended")
    console = Console()
    console.print(table)
    cut = next(turn for turn in field.turns.of(order.subject.order_id) if not field.is_on(turn.title))
    close = field.list_of(PAID, field.items(field.titles.index(cut.title)), people=())
    await field.run(timedelta(minutes=5), step_s=1.0)
    took_s = field.one(close).took_s
    console.print(f"A payment: {WORDS[field.one(close).code]}, {took_s:.0f} simulated seconds after its signed list.")  # type: ignore[index]  # it has ended


if __name__ == "__main__":
    asyncio.run(main())
