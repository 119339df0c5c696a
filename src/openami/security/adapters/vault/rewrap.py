"""Wrapping keys anew under the newest installation key, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.security.adapters.vault import groups
from openami.security.adapters.vault.installation import InstallationKey, InstallationKeys, WritingKeys
from openami.security.keys.context import KeyContext, KeyUse
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import KeyStateError
from openami.security.keys.rewrap import Place, RewrapStep

_LEFT = text("select count(*) from security.meter_key where installation_version < :version and state <> 'withdrawn'")
_NEXT = text("""
    select meter_id, generation, use, suite, installation_version, wrapped from security.meter_key
    where installation_version < :version and state <> 'withdrawn'
        and (cast(:meter as uuid) is null or (meter_id, generation, use) > (:meter, :generation, :use))
    order by meter_id, generation, use limit :limit
""")
_KEEP = text(
    "update security.meter_key set wrapped = :wrapped, installation_version = :version "
    "where meter_id = :meter and generation = :generation and use = :use"
)
# A withdrawn key has no octets: it only has to name an installation key that is there.
_WITHDRAWN = text(
    "update security.meter_key set installation_version = :version "
    "where installation_version < :version and state = 'withdrawn'"
)
_RETIRE = text(
    "update security.installation_key i set wrapped = '', retired_at = :at where retired_at is null "
    "and version < :version and not exists (select from security.meter_key where installation_version = i.version) "
    "and not exists (select from security.group_key where installation_version = i.version) "
    "returning version"
)


async def begin(connection: AsyncConnection, keys: InstallationKeys, *, at: datetime) -> int:
    """Make the next installation key; return its version.

    Raises:
        KeyStateError: keys are still under an older one than the newest.
    """
    newest = (await keys.newest(connection, at=at)).version
    left = await connection.scalar(_LEFT, {"version": newest})
    if left:
        raise KeyStateError(f"{left} keys are not under installation key {newest} yet: let that re-wrap end first")
    # From here on fingerprints have a key of their own, which the old installation key may have been.
    await keys.writing(connection, at=at)
    return (await keys.next(connection, at=at)).version


async def step(
    connection: AsyncConnection, keys: InstallationKeys, *, after: Place | None, limit: int, at: datetime
) -> RewrapStep:
    """Wrap the next keys under the newest installation key; see :class:`openami.security.keys.rewrap.KeyRewrap`."""
    writing = await keys.writing(connection, at=at)
    version = writing.under.version
    meter, generation, use = after or (None, None, None)
    values = {"version": version, "meter": meter, "generation": generation, "use": use, "limit": limit}
    rows = (await connection.execute(_NEXT, values)).all()
    every = await keys.every(connection)
    renewed, spoiled = _rewrapped(rows, every, writing)
    if renewed:
        await connection.execute(_KEEP, renewed)
    if len(rows) == limit:
        last = rows[-1]
        return RewrapStep(version, len(renewed), (last.meter_id, last.generation, last.use), spoiled)
    await connection.execute(_WITHDRAWN, {"version": version})
    of_groups, spoiled_too = await groups.rewrap(connection, every, writing)
    retired = (await connection.execute(_RETIRE, {"version": version, "at": at})).scalars()
    count = len(renewed) + of_groups
    return RewrapStep(version, count, None, (*spoiled, *spoiled_too), tuple(sorted(retired)))


def _rewrapped(
    rows: Sequence[Row[Any]], keys: Mapping[int, InstallationKey], writing: WritingKeys
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return the values of :data:`_KEEP`, and what is wrong with keys that do not open."""
    renewed: list[dict[str, object]] = []
    spoiled: list[str] = []
    for row in rows:
        context = KeyContext(writing.under.installation, row.meter_id, KeyUse(row.use), row.generation, row.suite)
        try:
            key = keys[row.installation_version].open(row.wrapped, context)
        except KeyBindingError as error:
            spoiled.append(str(error))
            continue
        renewed.append(
            {
                "wrapped": writing.seal(key, context),
                "version": writing.under.version,
                "meter": row.meter_id,
                "generation": row.generation,
                "use": row.use,
            }
        )
    return renewed, tuple(spoiled)
