"""What meters said of their own columns: names, scalers and units, read once by pull.

Revision ID: 0008_column_sheet
"""

from alembic import op

revision = "0008_column_sheet"
down_revision = "0007_row_security"
branch_labels = None
depends_on = None

COLUMN_SHEET = """
create table headend.column_sheet (
    meter_id uuid not null,
    subject text not null,
    columns jsonb not null check (jsonb_typeof(columns) = 'array'),
    read_at timestamptz not null,
    request_id uuid not null,
    primary key (meter_id, subject, read_at, request_id)
);
comment on table headend.column_sheet is 'never changed: a newer sheet of a meter and subject supersedes an older one';
comment on column headend.column_sheet.subject is 'logical name of a push setup or profile';
comment on column headend.column_sheet.columns is '[class, instance, attribute, index, scaler, unit] of each column';
revoke update, delete on headend.column_sheet from openami_headend
"""


def upgrade() -> None:
    """Make the table."""
    for statement in COLUMN_SHEET.split(";"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
