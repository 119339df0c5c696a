"""The audit log of a home, for the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from openami.app.engines.rooms import room_database
from openami.app.settings import Settings
from openami.kernel.errors import OpenAmiError
from openami.security.adapters.audit_postgres import PostgresAuditLog


class AuditLogUnreachableError(OpenAmiError):
    """The platform's database does not answer: start it with ``openami up``."""


@asynccontextmanager
async def audit_log(home: Path) -> AsyncIterator[PostgresAuditLog]:
    """Yield the log of a running platform.

    Raises:
        AuditLogUnreachableError: its database does not answer.
    """
    try:
        async with room_database(Settings.load(home), "openami_audit") as engine:
            yield PostgresAuditLog(engine)
    except (SQLAlchemyError, OSError) as error:
        raise AuditLogUnreachableError("the platform does not run here: start it with `openami up`") from error
