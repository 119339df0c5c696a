"""Marks of keys that leaked, in the vault's tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.kernel.ids import SystemTitle
from openami.security.keys.marks import MAX_REASON, Incident, IncidentProgress, Residual
from openami.security.keys.ports import KeyStateError

_HELD = text("select meter_id, system_title from security.key_holder where system_title = any(:titles)")
_INCIDENT = text(
    "insert into security.compromise (incident_id, reason, marked_by, marked_at, meters) "
    "values (:incident, :reason, :by, :at, :meters)"
)
# New keys that wait for their proof were wrapped and sent under what leaked: they are marked with the rest.
_MARK = text("""
    insert into security.key_compromise (meter_id, incident_id, pair_generation, master_generation)
    select m, :incident,
        coalesce((select max(generation) from security.meter_key where meter_id = m and use = 'encryption'), 0),
        case when :masters then
            coalesce((select max(generation) from security.meter_key where meter_id = m and use = 'master'), 0)
        else 0 end
    from unnest(cast(:meters as uuid[])) as m
""")
_LEAKED = text("""
    update security.key_holder h set leaked_pair = greatest(h.leaked_pair, c.pair_generation),
        leaked_master = greatest(h.leaked_master, c.master_generation)
    from security.key_compromise c where c.incident_id = :incident and c.meter_id = h.meter_id
""")
_LOOK_AGAIN = text(
    "update security.meter_key set revision = nextval('security.key_revision') "
    "where meter_id = any(:meters) and use = 'encryption' and state in ('active', 'new')"
)
_IN_USE = """
    left join security.meter_key e on e.meter_id = c.meter_id and e.use = 'encryption' and e.state = 'active'
    left join security.meter_key m on m.meter_id = c.meter_id and m.use = 'master' and m.state = 'active'
"""
_PAIR = "coalesce(e.generation <= c.pair_generation, true)"
_MASTER = "coalesce(m.generation <= c.master_generation, false)"
_INCIDENTS = text(f"""
    select i.incident_id, i.reason, i.marked_by, i.marked_at, i.meters,
        count(*) filter (where {_PAIR} or {_MASTER}) as residual
    from security.compromise i join security.key_compromise c on c.incident_id = i.incident_id {_IN_USE}
    group by i.incident_id order by i.marked_at desc, i.incident_id
""")  # noqa: S608 - constants
_RESIDUAL = text(f"""
    select c.meter_id, h.system_title, h.serial, min(i.marked_at) as since, bool_or({_PAIR}) as pair,
        bool_or({_MASTER}) as master, bool_or(n.generation is not null) as new_kept,
        bool_or(m.generation is not null) as has_master
    from security.key_compromise c
    join security.compromise i on i.incident_id = c.incident_id
    join security.key_holder h on h.meter_id = c.meter_id
    left join security.meter_key n on n.meter_id = c.meter_id and n.use = 'encryption' and n.state = 'new' {_IN_USE}
    where {_PAIR} or {_MASTER}
    group by c.meter_id, h.system_title, h.serial order by since, h.system_title limit :limit
""")  # noqa: S608 - constants


async def mark(connection: AsyncConnection, incident: Incident, titles: Sequence[SystemTitle], *, masters: bool) -> int:
    """Mark every key that these meters have now; return how many meters.

    Raises:
        KeyStateError: no meter, one without keys here, or a reason of another length.
    """
    if not 1 <= len(incident.reason) <= MAX_REASON:
        raise KeyStateError(f"say in 1 to {MAX_REASON} characters how the keys leaked")
    wanted = {t.octets: t for t in titles}
    rows = (await connection.execute(_HELD, {"titles": list(wanted)})).all()
    unknown = wanted.keys() - {bytes(r.system_title) for r in rows}
    if unknown or not rows:
        named = f", {wanted[min(unknown)]} among them" if unknown else ""
        raise KeyStateError(f"{len(unknown)} of {len(wanted)} meters have no keys here{named}; nothing was marked")
    values = {"incident": incident.incident_id, "meters": [r.meter_id for r in rows]}
    await connection.execute(
        _INCIDENT,
        {
            "incident": incident.incident_id,
            "reason": incident.reason,
            "by": incident.marked_by,
            "at": incident.marked_at,
            "meters": len(rows),
        },
    )
    await connection.execute(_MARK, {**values, "masters": masters})
    await connection.execute(_LEAKED, values)
    await connection.execute(_LOOK_AGAIN, values)
    return len(rows)


async def incidents(connection: AsyncConnection) -> list[IncidentProgress]:
    """Return every incident with its progress, the newest first."""
    rows = (await connection.execute(_INCIDENTS)).all()
    return [
        IncidentProgress(
            Incident(r.incident_id, r.reason, r.marked_by, r.marked_at), r.meters, r.meters - int(r.residual)
        )
        for r in rows
    ]


async def residual(connection: AsyncConnection, *, limit: int) -> list[Residual]:
    """Return meters that still use keys that leaked, the longest marked first."""
    rows = (await connection.execute(_RESIDUAL, {"limit": limit})).all()
    return [
        Residual(
            meter_id=r.meter_id,
            system_title=SystemTitle(bytes(r.system_title)),
            serial=r.serial,
            since=r.since,
            pair=r.pair,
            master=r.master,
            is_new_kept=r.new_kept,
            has_master=r.has_master,
        )
        for r in rows
    ]
