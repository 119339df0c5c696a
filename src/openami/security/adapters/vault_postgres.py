"""The key vault in PostgreSQL, schema ``security``, role ``openami_security``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import new as hmac_new
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.reading import uuid_column
from openami.kernel.finding import Finding, Severity
from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeyContext, KeyState, KeyUse
from openami.security.keys.envelope import NONCE_OCTETS, WRAPPING_KEY_OCTETS, fingerprint_of, unwrap_key, wrap_key
from openami.security.keys.envelope import KeyBindingError as KeyBindingError  # noqa: PLC0414 - callers catch it here
from openami.security.keys.ports import RootKey, ShipmentReport, VaultMeter, VaultUnavailableError
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError, ShippedMeter
from openami.security.keys.table import STATES, KeyColumns, title_number
from openami.security.keys.weak import KEY_OCTETS

_LOCK = 0x6B657973
"""Advisory lock of everything that writes keys, so that revisions appear in order."""
_ROWS_PER_STATEMENT = 5_000
_STATE_NUMBER = {state.value: number for number, state in enumerate(STATES)}


@dataclass(frozen=True, slots=True)
class _Wrapping:
    """The installation key in use."""

    installation: UUID
    version: int
    key: Secret


class PostgresVault:
    """A :class:`~openami.security.keys.ports.KeyVault`.

    Args:
        engine: connected as ``openami_security``.
        root: where the root key is.
        dice: source of random octets.
    """

    def __init__(self, engine: AsyncEngine, root: RootKey, dice: Callable[[int], bytes] = os.urandom) -> None:
        self._engine = engine
        self._root = root
        self._dice = dice

    async def import_shipment(self, shipment: Shipment, *, at: datetime) -> ShipmentReport:
        """Keep every key of the shipment, or none."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                wrapping = await self._wrapping(connection, at)
                digest = _digest(shipment, wrapping.key)
                if await _is_taken(connection, shipment, digest):
                    return await _report(connection, shipment, already_taken=True)
                await _refuse_known(connection, shipment, wrapping)
                await self._insert(connection, shipment, wrapping, digest, at)
                return await _report(connection, shipment, already_taken=False)
        except IntegrityError as error:
            raise ShipmentError(
                f"shipment {shipment.shipment_id}: a title, id or key is in the vault already"
            ) from error
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error

    async def revision(self) -> int:
        """Return the newest revision."""
        try:
            async with self._engine.connect() as connection:
                found = await connection.scalar(text("select max(revision) from security.meter_key"))
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error
        return int(found or 0)

    async def load(self, *, after_revision: int = 0) -> KeyColumns:
        """Return key pairs that changed after that revision, and which of them are spoiled."""
        try:
            async with self._engine.connect() as connection:
                keys = (await connection.execute(_ALL_INSTALLATION_KEYS)).all()
                rows = (await connection.execute(_CHANGED_PAIRS, {"after": after_revision})).all()
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error
        wrappings = (
            {row.version: self._open(row.installation, row.version, row.wrapped) for row in keys} if rows else {}
        )
        pairs, spoiled = _opened(rows, wrappings)
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
        )

    async def meters(self) -> list[VaultMeter]:
        """Return every meter that has keys."""
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(text(f"{_METERS} order by system_title"))).all()
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error
        return [VaultMeter(r.meter_id, SystemTitle(bytes(r.system_title)), r.serial, r.profile, r.zone) for r in rows]

    async def _wrapping(self, connection: AsyncConnection, at: datetime) -> _Wrapping:
        rows = (await connection.execute(_ALL_INSTALLATION_KEYS)).all()
        if rows:
            newest = rows[-1]
            return self._open(newest.installation, newest.version, newest.wrapped)
        installation, key = uuid4(), Secret(self._dice(WRAPPING_KEY_OCTETS))
        wrapped = wrap_key(
            key,
            under=self._root.fetch(),
            context=_installation_context(installation, 1),
            nonce=self._dice(NONCE_OCTETS),
        )
        await connection.execute(
            text("insert into security.installation_key values (1, :installation, :wrapped, :at)"),
            {"installation": installation, "wrapped": wrapped, "at": at},
        )
        return _Wrapping(installation, 1, key)

    def _open(self, installation: UUID, version: int, wrapped: bytes) -> _Wrapping:
        try:
            context = _installation_context(installation, version)
            key = unwrap_key(bytes(wrapped), under=self._root.fetch(), context=context)
        except KeyBindingError as error:
            raise KeyBindingError(
                f"installation key {version} does not open: the root key is not the one this vault was made with"
            ) from error
        return _Wrapping(installation, version, key)

    async def _insert(
        self, connection: AsyncConnection, shipment: Shipment, wrapping: _Wrapping, digest: bytes, at: datetime
    ) -> None:
        await connection.execute(
            text("insert into security.shipment values (:id, :digest, :maker, :meters, :made_at, :at)"),
            {
                "id": shipment.shipment_id,
                "digest": digest,
                "maker": shipment.maker,
                "meters": len(shipment.meters),
                "made_at": shipment.made_at,
                "at": at,
            },
        )
        for start in range(0, len(shipment.meters), _ROWS_PER_STATEMENT):
            meters = shipment.meters[start : start + _ROWS_PER_STATEMENT]
            ids = [m.meter_id or uuid4() for m in meters]
            holders = [
                {
                    "meter_id": meter_id,
                    "title": m.system_title.octets,
                    "serial": m.serial,
                    "profile": m.profile,
                    "zone": m.zone,
                    "shipment": shipment.shipment_id,
                }
                for meter_id, m in zip(ids, meters, strict=True)
            ]
            await connection.execute(_INSERT_HOLDER, holders)
            keys = [row for i, m in zip(ids, meters, strict=True) for row in self._key_rows(i, m, wrapping, at)]
            await connection.execute(_INSERT_KEY, keys)

    def _key_rows(
        self, meter_id: UUID, meter: ShippedMeter, wrapping: _Wrapping, at: datetime
    ) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        pairs = ((KeyUse.ENCRYPTION, meter.encryption_key), (KeyUse.AUTHENTICATION, meter.authentication_key))
        for use, key in pairs:
            context = KeyContext(wrapping.installation, meter_id, use, 1, 0).octets()
            rows.append(
                {
                    "meter_id": meter_id,
                    "use": use.value,
                    "state": KeyState.ACTIVE.value,
                    "version": wrapping.version,
                    "wrapped": wrap_key(key, under=wrapping.key, context=context, nonce=self._dice(NONCE_OCTETS)),
                    "fingerprint": fingerprint_of(key, under=wrapping.key),
                    "at": at,
                }
            )
        return rows


_METERS = "select meter_id, system_title, serial, profile, zone from security.key_holder"
_ALL_INSTALLATION_KEYS = text("select version, installation, wrapped from security.installation_key order by version")
_CHANGED_PAIRS = text("""
    select h.system_title, h.profile, h.zone, e.meter_id, e.generation, e.suite, e.state, e.installation_version,
           e.wrapped as encryption, a.wrapped as authentication, greatest(e.revision, a.revision) as revision
    from security.meter_key e
    join security.meter_key a on a.meter_id = e.meter_id and a.generation = e.generation and a.use = 'authentication'
    join security.key_holder h on h.meter_id = e.meter_id
    where e.use = 'encryption' and (e.revision > :after or a.revision > :after)
    order by revision
""")
_INSERT_HOLDER = text(
    "insert into security.key_holder (meter_id, system_title, serial, profile, zone, shipment_id) "
    "values (:meter_id, :title, :serial, :profile, :zone, :shipment)"
)
_INSERT_KEY = text(
    "insert into security.meter_key "
    "(meter_id, use, generation, suite, state, installation_version, wrapped, fingerprint, made_at) "
    "values (:meter_id, :use, 1, 0, :state, :version, :wrapped, :fingerprint, :at)"
)


def _installation_context(installation: UUID, version: int) -> bytes:
    return f"{installation}|installation_key|{version}".encode("ascii")


def _opened(
    rows: Sequence[Row[Any]], wrappings: Mapping[int, _Wrapping]
) -> tuple[list[tuple[bytes, bytes]], dict[int, str]]:
    """Return the key pair of each row, and what is wrong with rows that have none: one must not stop the others."""
    pairs: list[tuple[bytes, bytes]] = []
    spoiled: dict[int, str] = {}
    for place, row in enumerate(rows):
        try:
            pairs.append(_open_pair(row, wrappings))
        except KeyBindingError as error:
            spoiled[place] = str(error)
            pairs.append((bytes(KEY_OCTETS), bytes(KEY_OCTETS)))
    return pairs, spoiled


def _open_pair(row: Row[Any], wrappings: Mapping[int, _Wrapping]) -> tuple[bytes, bytes]:
    under = wrappings[row.installation_version]

    def opened(use: KeyUse, wrapped: bytes) -> bytes:
        return _unwrap(wrapped, under, KeyContext(under.installation, row.meter_id, use, row.generation, row.suite))

    return opened(KeyUse.ENCRYPTION, row.encryption), opened(KeyUse.AUTHENTICATION, row.authentication)


def _unwrap(wrapped: bytes, under: _Wrapping, context: KeyContext) -> bytes:
    try:
        return unwrap_key(bytes(wrapped), under=under.key, context=context.octets()).reveal()
    except KeyBindingError as error:
        raise KeyBindingError(
            f"the {context.use} key of meter {context.meter}, generation {context.generation}, does not open: {error}"
        ) from error


def _digest(shipment: Shipment, key: Secret) -> bytes:
    """Return a keyed digest of the content, so that the same shipment is known again."""
    digest = hmac_new(key.reveal(), b"openami shipment v1", sha256)
    for m in shipment.meters:
        digest.update(m.system_title.octets + m.encryption_key.reveal() + m.authentication_key.reveal())
        digest.update(f"|{m.serial}|{m.profile}|{m.zone}|{m.meter_id}|".encode())
    return digest.digest()


async def _is_taken(connection: AsyncConnection, shipment: Shipment, digest: bytes) -> bool:
    known = await connection.scalar(
        text("select digest from security.shipment where shipment_id = :id"), {"id": shipment.shipment_id}
    )
    if known is not None and bytes(known) != digest:
        raise ShipmentError(f"shipment {shipment.shipment_id} was imported before with other content")
    return known is not None


async def _refuse_known(connection: AsyncConnection, shipment: Shipment, wrapping: _Wrapping) -> None:
    """Name each line whose title or key the vault holds already."""
    findings: list[Finding] = []
    for start in range(0, len(shipment.meters), _ROWS_PER_STATEMENT):
        meters = shipment.meters[start : start + _ROWS_PER_STATEMENT]
        titles = {m.system_title.octets: m for m in meters}
        prints = {
            fingerprint_of(key, under=wrapping.key): m
            for m in meters
            for key in (m.encryption_key, m.authentication_key)
        }
        known_titles = await _present(connection, "key_holder", "system_title", list(titles))
        findings += [_known("duplicate_title", titles[v], "this system title has keys already") for v in known_titles]
        known_keys = await _present(connection, "meter_key", "fingerprint", list(prints))
        findings += [_known("duplicate_key", prints[v], "a key of this line is another meter's") for v in known_keys]
    if findings:
        raise ShipmentError(
            f"shipment {shipment.shipment_id}: {len(findings)} things wrong, first at {findings[0].subject}: "
            f"{findings[0].evidence['why']}; nothing was taken",
            tuple(findings),
        )


def _known(rule: str, meter: ShippedMeter, why: str) -> Finding:
    return Finding(rule, Severity.FAIL, meter.line, evidence={"why": why})


async def _present(connection: AsyncConnection, table: str, column: str, values: list[bytes]) -> list[bytes]:
    # Table and column are our own constants, never input.
    query = text(f"select {column} from security.{table} where {column} = any(:values)")  # noqa: S608 - constants
    return [bytes(v) for v in (await connection.execute(query, {"values": values})).scalars()]


async def _report(connection: AsyncConnection, shipment: Shipment, *, already_taken: bool) -> ShipmentReport:
    rows = (await connection.execute(text(f"{_METERS} where shipment_id = :id"), {"id": shipment.shipment_id})).all()
    by_title = {bytes(r.system_title): r for r in rows}
    meters = []
    for m in shipment.meters:
        row = by_title[m.system_title.octets]
        meters.append(VaultMeter(row.meter_id, m.system_title, row.serial, row.profile, row.zone))
    return ShipmentReport(shipment.shipment_id, already_taken, tuple(meters))
