"""Tables of the comparison in schema ``billing``: wishes, what became of them, and first-year ledgers."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, Integer, MetaData, Numeric, SmallInteger, Table, Text, Uuid

METADATA = MetaData(schema="billing")

WISH = Table(
    "rate_wish",
    METADATA,
    Column("wish_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("rate_code", Text),
    Column("present_code", Text),
    Column("first_day", Date),
    Column("asked_at", DateTime(timezone=True)),
    Column("asked_by", Uuid),
)
WISH_STEP = Table(
    "rate_wish_step",
    METADATA,
    Column("wish_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("step", Text),
    Column("at", DateTime(timezone=True)),
    Column("by", Uuid),
    Column("note", Text),
)
PROTECTION = Table(
    "rate_protection",
    METADATA,
    Column("protection_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("rate_code", Text),
    Column("shadow_code", Text),
    Column("first_day", Date),
    Column("end_day", Date),
    Column("months", SmallInteger),
    Column("begun_at", DateTime(timezone=True)),
)
SHADOW = Table(
    "shadow_entry",
    METADATA,
    Column("protection_id", Uuid, primary_key=True),
    Column("bill_id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("bill_version", Integer),
    Column("first_day", Date),
    Column("end_day", Date),
    Column("billed", Numeric),
    Column("shadow", Numeric),
    Column("refused", Text),
    Column("made_at", DateTime(timezone=True)),
)
