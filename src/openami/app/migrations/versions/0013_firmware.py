"""Firmware campaigns that run: images, where each meter of a campaign stands, and two people's approvals.

Approvals stand in schema ``access``, which the head-end's roles cannot write: what the head-end asks for it must not
be able to allow itself. The command process reads approval, image and meters, and compares all three.

Revision ID: 0013_firmware
"""

from alembic import op

revision = "0013_firmware"
down_revision = "0012_request_rights"
branch_labels = None
depends_on = None

FIRMWARE = """
create table headend.firmware_image (
    image_digest bytea primary key check (image_digest = sha256(octets)),
    octets bytea not null check (octet_length(octets) between 1 and 16777216),
    made_at_s bigint not null
);
alter table headend.campaign_meter add column system_title bytea not null check (octet_length(system_title) = 8);
alter table headend.campaign_meter add column partition smallint not null check (partition between 0 and 63);
alter table headend.campaign_meter add column changed_at_s double precision not null default 0;
create index campaign_meter_open on headend.campaign_meter (partition, campaign_id)
    where state not in ('confirmed', 'failed');
create index campaign_open on headend.campaign (campaign_id) where state in ('running', 'paused', 'planned');
create table access.firmware_approval (
    approval_id uuid primary key,
    campaign_id uuid not null,
    image_id bytea not null check (octet_length(image_id) between 1 and 64),
    image_digest bytea not null check (octet_length(image_digest) = 32),
    meters_digest bytea not null check (octet_length(meters_digest) = 32),
    from_at timestamptz not null,
    to_at timestamptz not null check (to_at > from_at),
    user_id uuid not null references access.user_account,
    made_at timestamptz not null,
    withdrawn_at timestamptz,
    unique (campaign_id, user_id)
);
comment on table access.firmware_approval is 'two rows of different people for the same subject let firmware pass'
"""
ROLE = "(select nullif(current_setting('app.role', true), ''))"
READERS = ("openami_security", "openami_headend")


def upgrade() -> None:
    """Make the tables and give each process what it reads."""
    for statement in FIRMWARE.split(";"):
        op.execute(statement)
    table = "access.firmware_approval"
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    # What was approved stays as it was approved; it can be withdrawn.
    op.execute(f"revoke update, delete on {table} from openami_access")
    op.execute(f"grant update (withdrawn_at) on {table} to openami_access")
    op.execute(
        f"create policy desk on {table} to openami_access "
        f"using ({ROLE} = 'approval_desk') with check ({ROLE} = 'approval_desk')"
    )
    for reader in READERS:
        op.execute(f"grant usage on schema access to {reader}")
        op.execute(f"grant select on {table} to {reader}")
        op.execute(f"create policy {reader}_reads on {table} for select to {reader} using (true)")
    op.execute("grant usage on schema headend to openami_security")
    op.execute("grant select on headend.firmware_image to openami_security")
    op.execute("grant select (campaign_id, system_title) on headend.campaign_meter to openami_security")


def downgrade() -> None:
    """Nothing to undo."""
