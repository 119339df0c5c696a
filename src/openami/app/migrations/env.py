"""Alembic's entry: run the migrations online, in one transaction, under an advisory lock."""

from alembic import context
from sqlalchemy import create_engine, pool, text

LOCK = 0x0A41

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()
    connection.commit()
engine.dispose()
