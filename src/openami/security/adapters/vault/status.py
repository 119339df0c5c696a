"""Figures of the vault, read without its keys: the portal's role may run these, too."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeyState, KeyUse
from openami.security.keys.level import FACTORY_GENERATION, SecurityLevel
from openami.security.keys.status import MeterKeys, VaultStatus

# One row a meter; a level has the number of :class:`SecurityLevel`.
_STANDING = f"""
    select h.meter_id, h.system_title, h.serial, h.profile, e.generation, e.active_at,
        n.generation as new_generation, m.generation as master_generation,
        case when coalesce(e.generation <= h.leaked_pair or m.generation <= h.leaked_master, false)
                  then {SecurityLevel.COMPROMISED:d}
             when e.generation is null then {SecurityLevel.NONE:d}
             when e.generation <= {FACTORY_GENERATION} then {SecurityLevel.FACTORY:d}
             else {SecurityLevel.SECURED:d} end as level
    from security.key_holder h
    left join security.meter_key e on e.meter_id = h.meter_id and e.use = 'encryption' and e.state = 'active'
    left join security.meter_key n on n.meter_id = h.meter_id and n.use = 'encryption' and n.state = 'new'
    left join security.meter_key m on m.meter_id = h.meter_id and m.use = 'master' and m.state = 'active'
"""  # noqa: S608 - constants
_LEVELS = text(
    "select level, count(*) as meters, min(active_at) as oldest, count(*) filter (where master_generation is null) "  # noqa: S608 - constants
    f"as without_master from ({_STANDING}) s group by level"
)
_STATES = text("select use, state, count(*) as keys from security.meter_key group by use, state")
_FIGURES = text("""
    select (select coalesce(max(version), 0) from security.installation_key) as version,
        (select count(*) from security.installation_key where retired_at is not null) as retired,
        (select count(*) from security.meter_key where state <> 'withdrawn'
            and installation_version < (select max(version) from security.installation_key)) as left_to_rewrap,
        (select count(distinct maker) from security.maker where withdrawn_at is null) as makers,
        (select count(*) from security.shipment where not is_signed) as unsigned,
        (select count(*) from security.key_alert where ended_at is null) as spoiled
""")
_METERS = text(
    f"select * from ({_STANDING}) s where cast(:level as int) is null or level = :level "  # noqa: S608 - constants
    "order by level, active_at, system_title limit :limit"
)


async def read_status(connection: AsyncConnection) -> VaultStatus:
    """Return the figures."""
    levels = (await connection.execute(_LEVELS)).all()
    states = (await connection.execute(_STATES)).all()
    figures = (await connection.execute(_FIGURES)).one()
    return VaultStatus(
        levels={SecurityLevel(r.level): int(r.meters) for r in levels},
        states={(KeyUse(r.use), KeyState(r.state)): int(r.keys) for r in states},
        oldest_active_at=min((r.oldest for r in levels if r.oldest is not None), default=None),
        without_master=sum(int(r.without_master) for r in levels),
        installation_version=figures.version,
        left_to_rewrap=figures.left_to_rewrap,
        retired=figures.retired,
        makers=figures.makers,
        unsigned_shipments=figures.unsigned,
        spoiled=figures.spoiled,
    )


async def read_meters(connection: AsyncConnection, *, level: SecurityLevel | None, limit: int) -> list[MeterKeys]:
    """Return meters, those that need somebody first."""
    values = {"level": None if level is None else int(level), "limit": limit}
    return [
        MeterKeys(
            meter_id=r.meter_id,
            system_title=SystemTitle(bytes(r.system_title)),
            serial=r.serial,
            profile=r.profile,
            level=SecurityLevel(r.level),
            generation=r.generation,
            active_at=r.active_at,
            new_generation=r.new_generation,
            master_generation=r.master_generation,
        )
        for r in (await connection.execute(_METERS, values)).all()
    ]
