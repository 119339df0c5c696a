"""Key pairs out of the vault as columns, for those who open and seal with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.contracts.reading import uuid_column
from openami.security.adapters.vault.installation import InstallationKey, InstallationKeys
from openami.security.keys.context import KeyContext, KeyState, KeyUse
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.table import STATES, KeyColumns, title_number
from openami.security.keys.weak import KEY_OCTETS

_STATE_NUMBER = {state.value: number for number, state in enumerate(STATES)}
_NOBODYS = (bytes(KEY_OCTETS), bytes(KEY_OCTETS))
# A reader without a right to master keys sees no row of them, and then no mark on them: it seals nothing.
_CHANGED_PAIRS = text("""
    select h.system_title, h.profile, h.zone, e.meter_id, e.generation, e.suite, e.state, e.wrapped as encryption,
           e.installation_version as encryption_under, a.wrapped as authentication,
           a.installation_version as authentication_under, greatest(e.revision, a.revision) as revision,
           coalesce(e.generation <= h.leaked_pair or m.generation <= h.leaked_master, false) as compromised
    from security.meter_key e
    join security.meter_key a on a.meter_id = e.meter_id and a.generation = e.generation and a.use = 'authentication'
    join security.key_holder h on h.meter_id = e.meter_id
    left join security.meter_key m on m.meter_id = e.meter_id and m.use = 'master' and m.state = 'active'
    where e.use = 'encryption' and (e.revision > :after or a.revision > :after)
    order by revision
""")


async def load_pairs(connection: AsyncConnection, keys: InstallationKeys, *, after_revision: int) -> KeyColumns:
    """Return every key pair that changed after that revision.

    Raises:
        KeyBindingError: an installation key does not open.
    """
    rows = (await connection.execute(_CHANGED_PAIRS, {"after": after_revision})).all()
    pairs, spoiled = _opened(rows, await keys.every(connection) if rows else {})
    return KeyColumns(
        title=np.array([title_number(r.system_title) for r in rows], np.uint64),
        meter_id=uuid_column([r.meter_id for r in rows]),
        generation=np.array([r.generation for r in rows], np.uint32),
        state=np.array([_STATE_NUMBER[r.state] for r in rows], np.uint8),
        profile=tuple(r.profile for r in rows),
        zone=tuple(r.zone or "" for r in rows),
        encryption_keys=b"".join(encryption for encryption, _ in pairs),
        authentication_keys=b"".join(authentication for _, authentication in pairs),
        revision=max((r.revision for r in rows), default=after_revision),
        spoiled=spoiled,
        compromised=np.array([r.compromised for r in rows], np.bool_),
    )


def _opened(
    rows: Sequence[Row[Any]], keys: Mapping[int, InstallationKey]
) -> tuple[list[tuple[bytes, bytes]], dict[int, str]]:
    """Return the key pair of each row, and what is wrong with rows that have none: one must not stop the others."""
    pairs: list[tuple[bytes, bytes]] = []
    spoiled: dict[int, str] = {}
    for place, row in enumerate(rows):
        if row.state == KeyState.WITHDRAWN.value:
            # Its octets are gone, or open nothing any more.
            pairs.append(_NOBODYS)
            continue
        try:
            pairs.append(_open_pair(row, keys))
        except KeyBindingError as error:
            spoiled[place] = str(error)
            pairs.append(_NOBODYS)
    return pairs, spoiled


def _open_pair(row: Row[Any], keys: Mapping[int, InstallationKey]) -> tuple[bytes, bytes]:
    # While keys are re-wrapped, one of a pair may be under another installation key than the other.
    def opened(use: KeyUse, wrapped: bytes, under: InstallationKey) -> bytes:
        context = KeyContext(under.installation, row.meter_id, use, row.generation, row.suite)
        return under.open(wrapped, context).reveal()

    return (
        opened(KeyUse.ENCRYPTION, row.encryption, keys[row.encryption_under]),
        opened(KeyUse.AUTHENTICATION, row.authentication, keys[row.authentication_under]),
    )
