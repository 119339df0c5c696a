"""Images and lists of meters of campaigns, as the command process reads them: role ``openami_security``, read only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.headend.command.ports import CommandUnavailableError
from openami.kernel.ids import SystemTitle

_IMAGE = text("select octets from headend.firmware_image where image_digest = :digest")
_METERS = text("select system_title from headend.campaign_meter where campaign_id = :campaign_id")


class PostgresFirmwareStore:
    """A :class:`~openami.headend.command.firmware.FirmwareStore`.

    Args:
        engine: connected as ``openami_security``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def image(self, digest: bytes) -> bytes | None:
        """Return the octets kept under a digest."""
        rows = await self._fetch(_IMAGE, {"digest": digest})
        return rows[0] if rows else None

    async def meters(self, campaign_id: UUID) -> list[SystemTitle]:
        """Return the meters of a campaign."""
        return [SystemTitle(octets) for octets in await self._fetch(_METERS, {"campaign_id": campaign_id})]

    async def _fetch(self, query: Any, values: dict[str, Any]) -> list[bytes]:
        try:
            async with self._engine.begin() as connection:
                return [bytes(row[0]) for row in (await connection.execute(query, values)).all()]
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise CommandUnavailableError(f"campaigns cannot be read: {type(error).__name__}") from error
