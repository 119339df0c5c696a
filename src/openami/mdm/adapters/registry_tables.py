"""Tables of schema ``mdm`` as SQLAlchemy sees them. Migration 0002_mdm is their definition."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE

METADATA = MetaData(schema="mdm")
_INSTANT = DateTime(timezone=True)

SERVICE_POINT = Table(
    "service_point",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("zone", Text),
    Column("status", Text),
    Column("transformer", Text),
    Column("feeder", Text),
    Column("cell", Text),
    Column("bill_group", SmallInteger),
    Column("made_at", _INSTANT),
)
METER = Table(
    "meter",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("system_title", LargeBinary),
    Column("serial", Text),
    Column("profile", Text),
    Column("interval_s", Integer),
    Column("channels", ARRAY(SmallInteger)),
    Column("capacity_wh", BigInteger),
    Column("resolution_wh", Integer),
    Column("max_power_w", BigInteger),
    Column("is_virtual", Boolean),
    Column("made_at", _INSTANT),
)
INSTALLATION = Table(
    "installation",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("meter_id", Uuid),
    Column("period", TSTZRANGE),
    Column("multiplier", Integer),
    Column("entered_at", _INSTANT),
)
INSTALLATION_READ = Table(
    "installation_read",
    METADATA,
    Column("installation_id", Uuid, primary_key=True),
    Column("channel", SmallInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", BigInteger),
)
REGISTRY_CHANGE = Table(
    "registry_change",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _INSTANT),
    Column("kind", Text),
    Column("subject", Uuid),
    Column("detail", JSONB),
)
VEE_DAY = Table(
    "vee_day",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("local_day", Date, primary_key=True),
    Column("run_id", Uuid),
    Column("run_at", _INSTANT),
)
VEE_REQUEST = Table(
    "vee_request",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("service_point_id", Uuid),
    Column("first_day", Date),
    Column("last_day", Date),
    Column("reason", Text),
    Column("made_at", _INSTANT),
)
FINDING = Table(
    "finding",
    METADATA,
    Column("service_point_id", Uuid, primary_key=True),
    Column("channel", SmallInteger, primary_key=True),
    Column("local_day", Date, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True),
    Column("run_id", Uuid),
    Column("rule", Text),
    Column("severity", Text),
    Column("start_at", _INSTANT),
    Column("end_at", _INSTANT),
    Column("evidence", JSONB),
    Column("known_at", _INSTANT),
    Column("superseded_at", _INSTANT),
)
