"""Firmware approvals in PostgreSQL, table ``access.firmware_approval``: given, withdrawn, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.time import Period
from openami.security.access.approval import (
    ApprovalRefusedError,
    ApprovalsUnavailableError,
    FirmwareApproval,
    FirmwareSubject,
)
from openami.security.access.row import RowSettings, seen_as

_DESK = RowSettings("approval_desk")
MAX_GOOD_ROWS = 1_000
"""Approvals whose window is open at once: campaigns are few, and each is of two people."""
_FIELDS = """
    select approval_id, campaign_id, image_id, image_digest, meters_digest, from_at, to_at, user_id, made_at,
           withdrawn_at from access.firmware_approval
"""
_GOOD = text(_FIELDS + " where withdrawn_at is null and from_at <= :now and :now < to_at order by made_at limit :most")
_OF_CAMPAIGN = text(_FIELDS + " where campaign_id = :campaign_id order by made_at")
_ADD = text("""
    insert into access.firmware_approval (approval_id, campaign_id, image_id, image_digest, meters_digest, from_at,
        to_at, user_id, made_at)
    values (:approval_id, :campaign_id, :image_id, :image_digest, :meters_digest, :from_at, :to_at, :user_id, :made_at)
""")
_WITHDRAW = text("""
    update access.firmware_approval set withdrawn_at = :at where campaign_id = :campaign_id and withdrawn_at is null
""")


class PostgresApprovals:
    """A :class:`~openami.security.access.approval.ApprovalBook`, and its writer.

    Args:
        engine: row-secured as ``openami_access`` to write; as ``openami_security`` or ``openami_headend`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def firmware(self, *, now: datetime) -> Sequence[FirmwareApproval]:
        """Return the approvals whose window holds an instant and that nobody has withdrawn."""
        return await self._fetch(_GOOD, {"now": now, "most": MAX_GOOD_ROWS})

    async def of_campaign(self, campaign_id: UUID) -> Sequence[FirmwareApproval]:
        """Return every approval of a campaign, the first given first.

        Raises:
            ApprovalsUnavailableError: the database does not answer.
        """
        return await self._fetch(_OF_CAMPAIGN, {"campaign_id": campaign_id})

    async def give(self, approval: FirmwareApproval) -> None:
        """Keep an approval.

        Raises:
            ApprovalRefusedError: this person has approved this campaign before.
            ApprovalsUnavailableError: the database does not answer.
        """
        subject = approval.subject
        row = {
            "approval_id": approval.approval_id,
            "campaign_id": subject.campaign_id,
            "image_id": subject.image_id,
            "image_digest": subject.image_digest,
            "meters_digest": subject.meters_digest,
            "from_at": subject.window.start,
            "to_at": subject.window.end,
            "user_id": approval.user_id,
            "made_at": approval.made_at,
        }
        try:
            async with self._transaction() as connection:
                await connection.execute(_ADD, row)
        except IntegrityError as error:
            raise ApprovalRefusedError("this person has approved this campaign before: another must") from error

    async def withdraw(self, campaign_id: UUID, *, at: datetime) -> None:
        """Let no approval of a campaign be good any more.

        Raises:
            ApprovalsUnavailableError: the database does not answer.
        """
        async with self._transaction() as connection:
            await connection.execute(_WITHDRAW, {"campaign_id": campaign_id, "at": at})

    async def _fetch(self, query: Any, values: dict[str, Any]) -> list[FirmwareApproval]:
        async with self._transaction() as connection:
            return [_approval_of(row) for row in (await connection.execute(query, values)).all()]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            with seen_as(_DESK):
                async with self._engine.begin() as connection:
                    yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise ApprovalsUnavailableError(f"the approvals cannot be read: {type(error).__name__}") from error


def _approval_of(row: Row[Any]) -> FirmwareApproval:
    subject = FirmwareSubject(
        row.campaign_id,
        bytes(row.image_id),
        bytes(row.image_digest),
        bytes(row.meters_digest),
        Period(row.from_at, row.to_at),
    )
    return FirmwareApproval(row.approval_id, subject, row.user_id, row.made_at, row.withdrawn_at)
