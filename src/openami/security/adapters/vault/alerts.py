"""Alerts of keys that do not open, in the vault's tables; the head-end's role writes them too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.security.keys.alert import KEY_BINDING, KeyAlert, SpoiledKey
from openami.security.watch.alert import MAX_WORDS, AlertRule

MAX_TOLD = 20
"""Alerts of one look at the vault on the list that staff work off."""
_RAISE = text("""
    insert into security.key_alert (meter_id, generation, code, words, seen_by, raised_at)
    values (:meter, :generation, :code, :words, :seen_by, :at)
    on conflict (meter_id, generation, code) do update
        set words = excluded.words, seen_by = excluded.seen_by, raised_at = excluded.raised_at, ended_at = null
        where key_alert.ended_at is not null
    returning meter_id
""")
# The list that staff work off; it takes the first of many, or a vault that is spoiled as a whole would bury it.
_TELL = text("""
    insert into security.alert (alert_id, at, rule, words, device)
    select gen_random_uuid(), :at, :rule, :words, encode(system_title, 'hex')
    from security.key_holder where meter_id = :meter
""")
_STANDING = text("select meter_id, generation from security.key_alert where ended_at is null")
_END = text(
    "update security.key_alert set ended_at = :at where meter_id = :meter and generation = :generation "
    "and ended_at is null"
)
_READ = text("""
    select meter_id, generation, words, seen_by, raised_at, ended_at from security.key_alert
    order by ended_at is not null, raised_at desc, meter_id, generation limit :limit
""")


async def raise_alerts(
    connection: AsyncConnection, spoiled: Sequence[SpoiledKey], *, seen_by: str, at: datetime
) -> int:
    """Keep alerts that do not stand already; return how many those were."""
    raised = []
    for one in spoiled:
        values = {"meter": one.meter_id, "generation": one.generation, "code": KEY_BINDING, "words": one.words}
        if (await connection.execute(_RAISE, {**values, "seen_by": seen_by, "at": at})).first() is not None:
            raised.append(one)
    for place, one in enumerate(raised[:MAX_TOLD]):
        more = f" And {len(raised) - MAX_TOLD} keys more." if place == MAX_TOLD - 1 and len(raised) > MAX_TOLD else ""
        words = one.words[: MAX_WORDS - len(more)] + more
        values = {"meter": one.meter_id, "rule": AlertRule.KEY_BINDING.value, "words": words, "at": at}
        await connection.execute(_TELL, values)
    return len(raised)


async def standing(connection: AsyncConnection) -> set[tuple[UUID, int]]:
    """Return (meter, generation) of the alerts that stand."""
    return {(r.meter_id, r.generation) for r in (await connection.execute(_STANDING)).all()}


async def end_alerts(connection: AsyncConnection, sound: Collection[tuple[UUID, int]], *, at: datetime) -> None:
    """End the alerts of (meter, generation) that open."""
    for meter_id, generation in sound:
        await connection.execute(_END, {"meter": meter_id, "generation": generation, "at": at})


async def read_alerts(connection: AsyncConnection, *, limit: int) -> list[KeyAlert]:
    """Return alerts, those that stand first, then the newest."""
    return [
        KeyAlert(SpoiledKey(r.meter_id, r.generation, r.words), r.seen_by, r.raised_at, r.ended_at)
        for r in (await connection.execute(_READ, {"limit": limit})).all()
    ]
