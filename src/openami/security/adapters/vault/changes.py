"""Changes of keys and of their states, each one transaction: what is kept as new is on disk before anything is sent.

The table itself holds that a meter has at most one key of a use in state new, and one in state active.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.security.adapters.vault.installation import InstallationKey, WritingKeys
from openami.security.adapters.vault.rows import INSERT_KEY, KeyToKeep, key_row
from openami.security.keys.context import KeyContext, KeySet, KeyState, KeyUse
from openami.security.keys.ports import KeyStateError, MasterKey
from openami.security.keys.secret import Secret
from openami.security.keys.weak import KEY_OCTETS

_SUITE = 0
_GENERATIONS = text(
    "select use, generation, state from security.meter_key where meter_id = :meter and use = any(:uses) "
    "order by generation desc"
)
_STEP = "update security.meter_key set state = '{state}', {at} = :at, revision = nextval('security.key_revision')"
_EXPIRE = text(
    _STEP.format(state="expired", at="expired_at")
    + " where meter_id = :meter and use = any(:uses) and state = 'active'"
)
_ACTIVATE = text(
    _STEP.format(state="active", at="active_at")
    + " where meter_id = :meter and use = any(:uses) and generation = :generation"
)
# A withdrawn key opens nothing any more: its octets go, its fingerprint stays, so that it never comes back.
_WITHDRAW = _STEP.format(state="withdrawn", at="withdrawn_at") + ", wrapped = ''"
_WITHDRAW_ONE = text(f"{_WITHDRAW} where meter_id = :meter and use = any(:uses) and generation = :generation")
_WITHDRAW_OLD = text(f"{_WITHDRAW} where state = 'expired' and expired_at < :before")
_LOOK_AGAIN = text(
    "update security.meter_key set revision = nextval('security.key_revision') "
    "where meter_id = :meter and use = 'encryption' and state = 'active'"
)
_MASTER = text(
    "select generation, suite, installation_version, wrapped from security.meter_key "
    "where meter_id = :meter and use = 'master' and state = :state"
)


async def keep_new(
    connection: AsyncConnection,
    meter_id: UUID,
    keys: Sequence[tuple[KeyUse, Secret]],
    *,
    writing: WritingKeys,
    at: datetime,
) -> int:
    """Keep keys of one set as new; return their generation.

    Raises:
        KeyStateError: no such meter, a set that is new already, or keys of another length.
    """
    if any(len(key) != KEY_OCTETS for _, key in keys):
        raise KeyStateError(f"a key of suite {_SUITE} has {KEY_OCTETS} octets")
    rows = (await connection.execute(_GENERATIONS, {"meter": meter_id, "uses": [u.value for u, _ in keys]})).all()
    if not rows:
        raise KeyStateError(f"meter {meter_id} has no such keys in the vault: what it never had cannot be changed")
    waiting = [r.generation for r in rows if r.state == KeyState.NEW.value]
    if waiting:
        raise KeyStateError(f"meter {meter_id} has new keys already, generation {waiting[0]}: prove or withdraw them")
    generation = int(rows[0].generation) + 1
    await connection.execute(
        INSERT_KEY,
        [
            key_row(
                KeyToKeep(KeyContext(writing.under.installation, meter_id, use, generation, _SUITE), key),
                KeyState.NEW,
                keys=writing,
                at=at,
            )
            for use, key in keys
        ],
    )
    return generation


async def activate(connection: AsyncConnection, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
    """Put new keys into use, and let those that were in use expire. Again changes nothing.

    Raises:
        KeyStateError: this generation is neither new nor in use.
    """
    state = await _state_of(connection, meter_id, what, generation)
    if state is KeyState.ACTIVE:
        return
    if state is not KeyState.NEW:
        raise KeyStateError(f"generation {generation} of meter {meter_id} is {state}, only new keys come into use")
    values = {"meter": meter_id, "uses": _uses(what), "generation": generation, "at": at}
    await connection.execute(_EXPIRE, values)
    await connection.execute(_ACTIVATE, values)
    if what is KeySet.MASTER:
        # Whether a meter's pair counts as leaked depends on its master key too.
        await connection.execute(_LOOK_AGAIN, values)


async def withdraw(connection: AsyncConnection, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
    """Give up keys that are not in use, and forget their octets. Again changes nothing.

    Raises:
        KeyStateError: no such generation, or it is the one in use.
    """
    state = await _state_of(connection, meter_id, what, generation)
    if state is KeyState.ACTIVE:
        raise KeyStateError(f"generation {generation} of meter {meter_id} is in use: without it nobody reaches it")
    if state is not KeyState.WITHDRAWN:
        values = {"meter": meter_id, "uses": _uses(what), "generation": generation, "at": at}
        await connection.execute(_WITHDRAW_ONE, values)


async def withdraw_expired(connection: AsyncConnection, *, before: datetime, at: datetime) -> int:
    """Withdraw every key that expired before an instant; return how many."""
    return (await connection.execute(_WITHDRAW_OLD, {"before": before, "at": at})).rowcount


async def master_of(
    connection: AsyncConnection, keys: dict[int, InstallationKey], meter_id: UUID, state: KeyState
) -> MasterKey | None:
    """Return a meter's master key in this state, or None.

    Raises:
        KeyBindingError: its row does not open.
    """
    row = (await connection.execute(_MASTER, {"meter": meter_id, "state": state.value})).first()
    if row is None:
        return None
    under = keys[row.installation_version]
    context = KeyContext(under.installation, meter_id, KeyUse.MASTER, row.generation, row.suite)
    return MasterKey(meter_id, row.generation, under.open(row.wrapped, context))


async def _state_of(connection: AsyncConnection, meter_id: UUID, what: KeySet, generation: int) -> KeyState:
    rows = (await connection.execute(_GENERATIONS, {"meter": meter_id, "uses": _uses(what)})).all()
    states = {r.state for r in rows if r.generation == generation}
    if len(states) != 1:
        raise KeyStateError(f"meter {meter_id} has no keys of generation {generation}")
    return KeyState(states.pop())


def _uses(what: KeySet) -> list[str]:
    return [use.value for use in what.value]
