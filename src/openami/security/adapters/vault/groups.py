"""Groups and their broadcast keys, in the vault's tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.kernel.ids import SystemTitle
from openami.security.adapters.vault.installation import InstallationKey, WritingKeys
from openami.security.keys.context import KeyContext, KeyUse
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.groups import MAX_NAME, GroupKey, KeyGroup
from openami.security.keys.ports import KeyStateError
from openami.security.keys.secret import Secret
from openami.security.keys.weak import KEY_OCTETS, reason_key_is_weak

_SUITE = 0
_NAMED = text("select group_id from security.key_group where name = :name")
_MAKE = text("insert into security.key_group values (:group, :name, :collectors, :at)")
_KEEP = text(
    "insert into security.group_key (group_id, generation, state, installation_version, wrapped, fingerprint, made_at) "
    "values (:group, :generation, 'active', :version, :wrapped, :fingerprint, :at)"
)
_NEWEST = text("select max(generation) from security.group_key where group_id = :group")
_FORGET = text(
    "update security.group_key set state = 'withdrawn', wrapped = '', withdrawn_at = :at "
    "where group_id = :group and state = 'active'"
)
_HELD = text("select meter_id, system_title from security.key_holder where system_title = any(:titles)")
# A meter that comes from another group has nothing of this one.
_JOIN = text("""
    insert into security.group_member (meter_id, group_id) select m, :group from unnest(cast(:meters as uuid[])) as m
    on conflict (meter_id) do update set group_id = excluded.group_id, held_generation = 0, pair_generation = 0,
        sent_generation = 0
        where group_member.group_id <> excluded.group_id
""")
_CHOSEN = text("""
    select group_id, name from security.key_group
    where name = any(:names) or (cast(:collector as bigint) is not null
        and (collectors = '{}' or cast(:collector as bigint) = any(collectors))) order by name
""")
_SEEN_TO = text("insert into security.group_renewal values (:report, :at) on conflict do nothing returning report_id")
_GROUPS = text("""
    select g.group_id, g.name, g.collectors, k.generation, k.made_at, count(m.meter_id) as members,
        count(m.meter_id) filter (where m.held_generation < k.generation) as behind
    from security.key_group g
    join security.group_key k on k.group_id = g.group_id and k.state = 'active'
    left join security.group_member m on m.group_id = g.group_id
    group by g.group_id, g.name, g.collectors, k.generation, k.made_at order by g.name
""")
_BEHIND = text("""
    select h.system_title from security.group_member m
    join security.group_key k on k.group_id = m.group_id and k.state = 'active'
    join security.key_holder h on h.meter_id = m.meter_id
    where m.held_generation < k.generation order by h.system_title limit :limit
""")
# The first question for a pair fixes which of the group's keys goes with it.
_FIX = text("""
    update security.group_member m set pair_generation = :pair, sent_generation = k.generation
    from security.group_key k
    where m.meter_id = :meter and k.group_id = m.group_id and k.state = 'active' and m.pair_generation <> :pair
""")
_TO_SEND = text("""
    select k.group_id, k.generation, k.installation_version, k.wrapped from security.group_member m
    join security.group_key k on k.group_id = m.group_id and k.generation = m.sent_generation
    where m.meter_id = :meter and m.pair_generation = :pair and k.state = 'active'
""")
_NOTE = text(
    "update security.group_member set held_generation = sent_generation "
    "where meter_id = :meter and pair_generation = :pair"
)
_OLD = text(
    "select group_id, generation, installation_version, wrapped from security.group_key "
    "where state = 'active' and installation_version < :version"
)
_REWRAPPED = text(
    "update security.group_key set wrapped = :wrapped, installation_version = :version "
    "where group_id = :group and generation = :generation"
)
_WITHDRAWN = text(
    "update security.group_key set installation_version = :version "
    "where state = 'withdrawn' and installation_version < :version"
)


async def make(
    connection: AsyncConnection, name: str, collectors: Collection[int], *, writing: WritingKeys, at: datetime
) -> UUID:
    """Make a group with a key of its own; return its id.

    Raises:
        KeyStateError: there is one of this name, or the name is too long.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise KeyStateError(f"a group has a name of 1 to {MAX_NAME} characters")
    if await connection.scalar(_NAMED, {"name": name}) is not None:
        raise KeyStateError(f"there is a group {name} already")
    group_id = uuid4()
    values = {"group": group_id, "name": name, "collectors": sorted(set(collectors)), "at": at}
    await connection.execute(_MAKE, values)
    await _renew(connection, group_id, writing, at=at)
    return group_id


async def join(connection: AsyncConnection, name: str, titles: Sequence[SystemTitle]) -> int:
    """Put meters into a group; return how many.

    Raises:
        KeyStateError: no such group, or a title has no keys here.
    """
    group_id = await connection.scalar(_NAMED, {"name": name})
    if group_id is None:
        raise KeyStateError(f"there is no group {name}")
    wanted = {t.octets: t for t in titles}
    rows = (await connection.execute(_HELD, {"titles": list(wanted)})).all()
    unknown = wanted.keys() - {bytes(r.system_title) for r in rows}
    if unknown:
        raise KeyStateError(f"{len(unknown)} meters have no keys here, {wanted[min(unknown)]} among them")
    await connection.execute(_JOIN, {"group": group_id, "meters": [r.meter_id for r in rows]})
    return len(rows)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Which groups get new keys.

    Args:
        names: these.
        collector_id: and every group that this collector may have served; None for no more.
        because: the report that asks for it; None for none.
        at: domain time.
    """

    names: Collection[str]
    collector_id: int | None
    because: UUID | None
    at: datetime


async def renew(
    connection: AsyncConnection, renewal: Renewal, writing: Callable[[], Awaitable[WritingKeys]]
) -> list[str]:
    """Give groups new keys; return the names of these groups.

    Raises:
        KeyStateError: no group of such a name.
    """
    names = list(renewal.names)
    if renewal.because is not None:
        values = {"report": renewal.because, "at": renewal.at}
        if (await connection.execute(_SEEN_TO, values)).first() is None:
            return []
    rows = (await connection.execute(_CHOSEN, {"names": names, "collector": renewal.collector_id})).all()
    missing = set(names) - {r.name for r in rows}
    if missing:
        raise KeyStateError(f"there is no group {min(missing)}; nothing was renewed")
    for row in rows:
        await _renew(connection, row.group_id, await writing(), at=renewal.at)
    return [r.name for r in rows]


async def every(connection: AsyncConnection) -> list[KeyGroup]:
    """Return every group, by name."""
    return [
        KeyGroup(r.group_id, r.name, frozenset(r.collectors), r.generation, r.made_at, int(r.members), int(r.behind))
        for r in (await connection.execute(_GROUPS)).all()
    ]


async def behind(connection: AsyncConnection, *, limit: int) -> list[SystemTitle]:
    """Return meters that do not have their group's key yet."""
    return [SystemTitle(bytes(t)) for t in (await connection.execute(_BEHIND, {"limit": limit})).scalars()]


async def fix(connection: AsyncConnection, meter_id: UUID, pair_generation: int) -> None:
    """Fix which of its group's keys goes to a meter with a new pair, once."""
    await connection.execute(_FIX, {"meter": meter_id, "pair": pair_generation})


async def to_send(
    connection: AsyncConnection, keys: Mapping[int, InstallationKey], meter_id: UUID, pair_generation: int
) -> GroupKey | None:
    """Return the group's key that goes to a meter with a new pair.

    Raises:
        KeyBindingError: its row does not open.
    """
    row = (await connection.execute(_TO_SEND, {"meter": meter_id, "pair": pair_generation})).first()
    if row is None:
        return None
    under = keys[row.installation_version]
    return GroupKey(
        row.group_id, row.generation, under.open(row.wrapped, _context(under, row.group_id, row.generation))
    )


async def held(connection: AsyncConnection, meter_id: UUID, pair_generation: int) -> None:
    """Note that a meter holds the group's key that went with a pair."""
    await connection.execute(_NOTE, {"meter": meter_id, "pair": pair_generation})


async def rewrap(
    connection: AsyncConnection, keys: Mapping[int, InstallationKey], writing: WritingKeys
) -> tuple[int, tuple[str, ...]]:
    """Wrap every group's key under the newest installation key; return how many, and what is wrong with the others.

    There are as many as groups, so one step takes them all.
    """
    renewed, spoiled = 0, []
    for row in (await connection.execute(_OLD, {"version": writing.under.version})).all():
        context = _context(writing.under, row.group_id, row.generation)
        try:
            key = keys[row.installation_version].open(row.wrapped, context)
        except KeyBindingError as error:
            spoiled.append(str(error))
            continue
        values = {"group": row.group_id, "generation": row.generation, "version": writing.under.version}
        await connection.execute(_REWRAPPED, {**values, "wrapped": writing.seal(key, context)})
        renewed += 1
    await connection.execute(_WITHDRAWN, {"version": writing.under.version})
    return renewed, tuple(spoiled)


async def _renew(connection: AsyncConnection, group_id: UUID, writing: WritingKeys, *, at: datetime) -> None:
    generation = int(await connection.scalar(_NEWEST, {"group": group_id}) or 0) + 1
    key = Secret(writing.dice(KEY_OCTETS))
    if (why := reason_key_is_weak(key)) is not None:
        raise KeyStateError(f"the source of random octets gave a weak key: {why}")
    await connection.execute(_FORGET, {"group": group_id, "at": at})
    await connection.execute(
        _KEEP,
        {
            "group": group_id,
            "generation": generation,
            "version": writing.under.version,
            "wrapped": writing.seal(key, _context(writing.under, group_id, generation)),
            "fingerprint": writing.fingerprint(key),
            "at": at,
        },
    )


def _context(under: InstallationKey, group_id: UUID, generation: int) -> KeyContext:
    return KeyContext(under.installation, group_id, KeyUse.BROADCAST, generation, _SUITE)
