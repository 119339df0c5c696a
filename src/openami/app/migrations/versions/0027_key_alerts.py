"""Alerts of keys that do not open in their place, and what the console may read of keys: states, never octets.

Revision ID: 0027_key_alerts
"""

from alembic import op

revision = "0027_key_alerts"
down_revision = "0026_makers"
branch_labels = None
depends_on = None

READABLE = (
    ("key_compromise", ""),
    ("compromise", ""),
    ("maker", ""),
    ("key_alert", ""),
    ("shipment", "(shipment_id, maker, meters, made_at, imported_at, is_signed)"),
    ("installation_key", "(version, made_at, retired_at)"),
    (
        "meter_key",
        "(meter_id, use, generation, suite, state, installation_version, made_at, active_at, expired_at, withdrawn_at)",
    ),
)


def upgrade() -> None:
    """Make the table, and let the portal's role read."""
    op.execute("""
        create table security.key_alert (
            meter_id uuid not null,
            generation int not null,
            code text not null check (code in ('KEY_BINDING')),
            words text not null check (length(words) between 1 and 500),
            seen_by text not null check (length(seen_by) between 1 and 100),
            raised_at timestamptz not null,
            ended_at timestamptz,
            primary key (meter_id, generation, code)
        )
    """)
    op.execute("create index key_alert_standing on security.key_alert (raised_at) where ended_at is null")
    op.execute("grant select, insert, update on security.key_alert to openami_keyreader")
    op.execute("grant insert on security.alert to openami_keyreader")
    for table, columns in READABLE:
        op.execute(f"grant select {columns} on security.{table} to openami_portal")
    op.execute("create policy portal on security.meter_key for select to openami_portal using (true)")


def downgrade() -> None:
    """Nothing to undo."""
