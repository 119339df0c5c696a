"""Rows of the vault's tables as they are written and read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from openami.kernel.ids import SystemTitle
from openami.security.adapters.vault.installation import WritingKeys
from openami.security.keys.context import KeyContext, KeyState
from openami.security.keys.ports import VaultMeter
from openami.security.keys.secret import Secret

LOCK = text("select pg_advisory_xact_lock(1801812339)")
"""Taken by every transaction that writes keys, so that revisions appear in order. The number spells ``keys``."""
METERS = "select meter_id, system_title, serial, profile, zone from security.key_holder"
INSERT_KEY = text(
    "insert into security.meter_key (meter_id, use, generation, suite, state, installation_version, wrapped, "
    "fingerprint, made_at, active_at) values (:meter_id, :use, :generation, :suite, :state, :version, :wrapped, "
    ":fingerprint, :at, :active_at)"
)


@dataclass(frozen=True, slots=True)
class KeyToKeep:
    """A key and what it is bound to."""

    context: KeyContext
    key: Secret


def key_row(kept: KeyToKeep, state: KeyState, *, keys: WritingKeys, at: datetime) -> dict[str, object]:
    """Return the values of :data:`INSERT_KEY`."""
    return {
        "meter_id": kept.context.meter,
        "use": kept.context.use.value,
        "generation": kept.context.generation,
        "suite": kept.context.suite,
        "state": state.value,
        "version": keys.under.version,
        "wrapped": keys.seal(kept.key, kept.context),
        "fingerprint": keys.fingerprint(kept.key),
        "at": at,
        "active_at": at if state is KeyState.ACTIVE else None,
    }


def vault_meter(row: Row[Any]) -> VaultMeter:
    """Return a row of :data:`METERS`."""
    return VaultMeter(row.meter_id, SystemTitle(bytes(row.system_title)), row.serial, row.profile, row.zone)
