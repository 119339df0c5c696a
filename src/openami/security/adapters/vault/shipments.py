"""Shipments into the vault: whole or not at all, and the same one again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac_new
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.kernel.finding import Finding, Severity
from openami.security.adapters.vault.installation import WritingKeys
from openami.security.adapters.vault.rows import INSERT_KEY, METERS, KeyToKeep, key_row, vault_meter
from openami.security.keys.context import KeyContext, KeyState, KeyUse
from openami.security.keys.level import FACTORY_GENERATION
from openami.security.keys.ports import ShipmentReport
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError, ShippedMeter

_ROWS_PER_STATEMENT = 5_000
_INSERT_HOLDER = text(
    "insert into security.key_holder (meter_id, system_title, serial, profile, zone, shipment_id) "
    "values (:meter_id, :title, :serial, :profile, :zone, :shipment)"
)
_HOLDERS = text("select system_title as value, serial from security.key_holder where system_title = any(:values)")
_HELD = text(
    "select k.fingerprint as value, k.use, k.generation, h.serial from security.meter_key k "
    "join security.key_holder h on h.meter_id = k.meter_id where k.fingerprint = any(:values)"
)
_Meters = list[tuple[UUID, ShippedMeter]]


class ShipmentIntake:
    """Takes one shipment on a connection whose transaction holds the vault's lock.

    Args:
        connection: in a transaction.
        keys: what rows are written with.
        at: domain time of the import.
    """

    def __init__(self, connection: AsyncConnection, keys: WritingKeys, *, at: datetime) -> None:
        self._connection = connection
        self._keys = keys
        self._at = at

    async def take(self, shipment: Shipment, *, is_signed: bool) -> ShipmentReport:
        """Keep every key, or none.

        Args:
            shipment: what came.
            is_signed: it came sealed, under a registered key of its maker.

        Raises:
            ShipmentError: a title or key is in the vault already, or the name was used for another shipment.
        """
        known = await self._connection.scalar(
            text("select digest from security.shipment where shipment_id = :id"), {"id": shipment.shipment_id}
        )
        if known is None:
            _refuse(shipment, await self._known(shipment.meters))
            await self._insert(shipment, is_signed=is_signed)
            return await self._report(shipment, already_taken=False)
        if is_signed:
            await self._connection.execute(
                text("update security.shipment set is_signed = true where shipment_id = :id"),
                {"id": shipment.shipment_id},
            )
        if compare_digest(bytes(known), self._digest(shipment)):
            return await self._report(shipment, already_taken=True)
        if not compare_digest(bytes(known), self._digest(shipment, with_masters=False)):
            raise ShipmentError(f"shipment {shipment.shipment_id} was imported before with other content")
        return await self._add_masters(shipment)

    async def _add_masters(self, shipment: Shipment) -> ShipmentReport:
        """Keep the master keys of a shipment that was taken when the vault kept none."""
        report = await self._report(shipment, already_taken=True)
        held = [(kept.meter_id, m) for kept, m in zip(report.meters, shipment.meters, strict=True) if m.master_key]
        masters = [(m, key) for _, m in held for use, key in m.each_key() if use is KeyUse.MASTER]
        for start in range(0, len(masters), _ROWS_PER_STATEMENT):
            _refuse(shipment, await self._known_keys(masters[start : start + _ROWS_PER_STATEMENT]))
        for start in range(0, len(held), _ROWS_PER_STATEMENT):
            await self._insert_keys(held[start : start + _ROWS_PER_STATEMENT], only=KeyUse.MASTER)
        await self._connection.execute(
            text("update security.shipment set digest = :digest where shipment_id = :id"),
            {"digest": self._digest(shipment), "id": shipment.shipment_id},
        )
        return report

    def _digest(self, shipment: Shipment, *, with_masters: bool = True) -> bytes:
        """Return a keyed digest of the content, so that the same shipment is known again."""
        digest = hmac_new(self._keys.fingerprint_key.reveal(), b"openami shipment v1", sha256)
        for m in shipment.meters:
            digest.update(m.system_title.octets + m.encryption_key.reveal() + m.authentication_key.reveal())
            if m.master_key is not None and with_masters:
                digest.update(m.master_key.reveal())
            digest.update(f"|{m.serial}|{m.profile}|{m.zone}|{m.meter_id}|".encode())
        return digest.digest()

    async def _insert(self, shipment: Shipment, *, is_signed: bool) -> None:
        await self._connection.execute(
            text(
                "insert into security.shipment (shipment_id, digest, maker, meters, made_at, imported_at, is_signed) "
                "values (:id, :digest, :maker, :meters, :made_at, :at, :is_signed)"
            ),
            {
                "id": shipment.shipment_id,
                "digest": self._digest(shipment),
                "maker": shipment.maker,
                "meters": len(shipment.meters),
                "made_at": shipment.made_at,
                "at": self._at,
                "is_signed": is_signed,
            },
        )
        for start in range(0, len(shipment.meters), _ROWS_PER_STATEMENT):
            meters = [(m.meter_id or uuid4(), m) for m in shipment.meters[start : start + _ROWS_PER_STATEMENT]]
            await self._connection.execute(_INSERT_HOLDER, [_holder_row(i, m, shipment.shipment_id) for i, m in meters])
            await self._insert_keys(meters)

    async def _insert_keys(self, meters: _Meters, *, only: KeyUse | None = None) -> None:
        await self._connection.execute(
            INSERT_KEY,
            [
                key_row(
                    KeyToKeep(KeyContext(self._keys.under.installation, i, use, FACTORY_GENERATION, 0), key),
                    KeyState.ACTIVE,
                    keys=self._keys,
                    at=self._at,
                )
                for i, m in meters
                for use, key in m.each_key()
                if only in {None, use}
            ],
        )

    async def _known(self, meters: Sequence[ShippedMeter]) -> list[Finding]:
        """Return a finding for each line whose title or key the vault holds already."""
        findings: list[Finding] = []
        for start in range(0, len(meters), _ROWS_PER_STATEMENT):
            some = meters[start : start + _ROWS_PER_STATEMENT]
            titles = {m.system_title.octets: m for m in some}
            for row in (await self._connection.execute(_HOLDERS, {"values": list(titles)})).all():
                why = f"this system title has keys already, as serial {row.serial}"
                findings.append(_known("duplicate_title", titles[bytes(row.value)], why))
            findings += await self._known_keys([(m, key) for m in some for _, key in m.each_key()])
        return findings

    async def _known_keys(self, keys: Sequence[tuple[ShippedMeter, Secret]]) -> list[Finding]:
        prints = {self._keys.fingerprint(key): m for m, key in keys}
        rows = (await self._connection.execute(_HELD, {"values": list(prints)})).all()
        return [
            _known(
                "duplicate_key",
                prints[bytes(r.value)],
                f"a key of this line is another meter's: {r.use} key {r.generation} of serial {r.serial}",
            )
            for r in rows
        ]

    async def _report(self, shipment: Shipment, *, already_taken: bool) -> ShipmentReport:
        query = text(f"{METERS} where shipment_id = :id")
        rows = (await self._connection.execute(query, {"id": shipment.shipment_id})).all()
        by_title = {bytes(r.system_title): vault_meter(r) for r in rows}
        meters = tuple(by_title[m.system_title.octets] for m in shipment.meters)
        return ShipmentReport(shipment.shipment_id, already_taken, meters)


def _holder_row(meter_id: UUID, meter: ShippedMeter, shipment_id: str) -> dict[str, object]:
    return {
        "meter_id": meter_id,
        "title": meter.system_title.octets,
        "serial": meter.serial,
        "profile": meter.profile,
        "zone": meter.zone,
        "shipment": shipment_id,
    }


def _known(rule: str, meter: ShippedMeter, why: str) -> Finding:
    return Finding(rule, Severity.FAIL, meter.line, evidence={"why": why, "serial": meter.serial})


def _refuse(shipment: Shipment, findings: list[Finding]) -> None:
    if findings:
        raise ShipmentError(
            f"shipment {shipment.shipment_id}: {len(findings)} things wrong, first at {findings[0].subject}: "
            f"{findings[0].evidence['why']}; nothing was taken",
            tuple(findings),
        )
