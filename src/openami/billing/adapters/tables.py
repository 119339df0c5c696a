"""Tables of schema ``billing``, as the migration makes them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, MetaData, Numeric, SmallInteger, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB

METADATA = MetaData(schema="billing")

RATE_ASSIGNMENT = Table(
    "rate_assignment",
    METADATA,
    Column("assignment_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("rate_code", Text),
    Column("days", DATERANGE),
    Column("entered_at", DateTime(timezone=True)),
)
BILL = Table(
    "bill",
    METADATA,
    Column("bill_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("first_day", Date),
    Column("end_day", Date),
    Column("zone", Text),
    Column("rate_code", Text),
    Column("rate_name", Text),
    Column("currency", Text),
    Column("state", Text),
    Column("hold_reason", Text),
    Column("version", Integer),
    Column("supersedes", Uuid),
    Column("begin_register_wh", BigInteger),
    Column("end_register_wh", BigInteger),
    Column("usage_wh", BigInteger),
    Column("received_wh", BigInteger),
    Column("estimated_wh", BigInteger),
    Column("exact_total", Numeric),
    Column("total", Numeric),
    Column("day_versions", ARRAY(BigInteger)),
    Column("made_at", DateTime(timezone=True)),
    Column("issued_at", DateTime(timezone=True)),
    Column("kind", Text),
    Column("account_id", Uuid),
    Column("bill_group", SmallInteger),
    Column("revenue_month", Date),
    Column("read_on", Date),
    Column("reading_state", Text),
    Column("reads", JSONB),
    Column("estimates_in_a_row", SmallInteger),
    Column("stamps", ARRAY(Text)),
    Column("carried_in", JSONB),
    Column("carried_out", JSONB),
    Column("due_on", Date),
    Column("hold_code", Text),
    Column("hold_owner", Text),
    Column("held_since", DateTime(timezone=True)),
    Column("released", Text),
)
BILL_LINE = Table(
    "bill_line",
    METADATA,
    Column("bill_id", Uuid, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("service_point_id", Uuid),
    Column("kind", Text),
    Column("name", Text),
    Column("period", Text),
    Column("tier", SmallInteger),
    Column("quantity", Numeric),
    Column("unit", Text),
    Column("price", Numeric),
    Column("exact_amount", Numeric),
    Column("amount", Numeric),
    Column("evidence", JSONB),
)
CORRECTION = Table(
    "correction",
    METADATA,
    Column("bill_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("local_day", Date, primary_key=True),
    Column("billed_version", BigInteger),
    Column("seen_version", BigInteger, primary_key=True),
    Column("state", Text),
    Column("found_at", DateTime(timezone=True)),
)
