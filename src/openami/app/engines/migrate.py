"""Bring the database schema up to date: one Alembic tree, one PostgreSQL schema and role per room."""

from __future__ import annotations

from pathlib import Path

from openami.app.engines.postgres import EngineError


def migrate(superuser_url: str) -> None:
    """Run every migration that the database has not seen. Safe to call at each start.

    Args:
        superuser_url: SQLAlchemy URL of a role that may create roles and schemas.

    Raises:
        EngineError: the database does not answer, or refuses, or a newer release made it; the text shows no part of
            the address.
    """
    # Alembic takes a second to load: only who migrates pays for it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.set_main_option("sqlalchemy.url", superuser_url.replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        # A revision that this release does not have: what it means is known to later ones alone.
        raise EngineError(
            "the database was made or upgraded by a newer release: start that one, or bring back the backup or the "
            "copy of the home from before its upgrade"
        ) from error
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise EngineError(f"PostgreSQL does not take the database schema ({cause}): is its address right?") from error
