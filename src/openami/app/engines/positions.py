"""How far the head-end has read, for a bus that is made anew beside a database that is not."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from openami.app.engines.address import postgres_url
from openami.app.engines.postgres import SUPERUSER
from openami.app.settings import Settings


def next_frame(settings: Settings) -> int:
    """Return the first number of a stream of frames that no group of the head-end has passed."""
    engine = create_engine(postgres_url(settings, SUPERUSER), hide_parameters=True)
    try:
        with engine.connect() as connection:
            passed = connection.execute(text("select coalesce(max(position), 0) from headend.partition_group"))
            return int(passed.scalar_one()) + 1
    finally:
        engine.dispose()
