"""Tables of schema ``mdm`` as SQLAlchemy sees them. Migrations 0002_mdm and 0032_registry_facts define them."""

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
    Column("is_estimated", Boolean),
    Column("reason", Text),
)
INSTALLATION_BEFORE = Table(
    "installation_before",
    METADATA,
    Column("installation_id", Uuid),
    Column("service_point_id", Uuid),
    Column("meter_id", Uuid),
    Column("period", TSTZRANGE),
    Column("multiplier", Integer),
    Column("reads", JSONB),
    Column("entered_at", _INSTANT),
    Column("superseded_at", _INSTANT),
)
MULTIPLIER_STEP = Table(
    "multiplier_step",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("installation_id", Uuid),
    Column("start_at", _INSTANT),
    Column("ct", Integer),
    Column("pt", Integer),
    Column("constant", Integer),
    Column("reads", JSONB),
    Column("entered_at", _INSTANT),
    Column("entered_by", Text),
    Column("reason", Text),
    Column("superseded_at", _INSTANT),
)
METER_REGISTER = Table(
    "meter_register",
    METADATA,
    Column("meter_id", Uuid, primary_key=True),
    Column("channel", SmallInteger, primary_key=True),
    Column("resolution", Integer),
    Column("capacity", BigInteger),
)
PLACE_FACT = Table(
    "place_fact",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("service_point_id", Uuid),
    Column("kind", Text),
    Column("value", Text),
    Column("period", TSTZRANGE),
    Column("entered_at", _INSTANT),
    Column("entered_by", Text),
    Column("reason", Text),
    Column("superseded_at", _INSTANT),
)
PLACE_NEWS = Table(
    "place_news",
    METADATA,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("service_point_id", Uuid),
)
CALENDAR_DAY = Table(
    "calendar_day",
    METADATA,
    Column("calendar", Text, primary_key=True),
    Column("local_day", Date, primary_key=True),
    Column("name", Text),
)
UNMETERED_ESTIMATE = Table(
    "unmetered_estimate",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("channel", SmallInteger),
    Column("period", TSTZRANGE),
    Column("value_wh", BigInteger),
    Column("method", Text),
    Column("evidence", JSONB),
    Column("entered_at", _INSTANT),
    Column("superseded_at", _INSTANT),
)
HAND_READ = Table(
    "hand_read",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("service_point_id", Uuid),
    Column("meter_id", Uuid),
    Column("channel", SmallInteger),
    Column("read_at", _INSTANT),
    Column("value", BigInteger),
    Column("road", Text),
    Column("mark", Text),
    Column("state", Text),
    Column("findings", JSONB),
    Column("entered_at", _INSTANT),
    Column("entered_by", Text),
    Column("reason", Text),
    Column("superseded_at", _INSTANT),
)
REGISTRY_CHANGE = Table(
    "registry_change",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _INSTANT),
    Column("kind", Text),
    Column("subject", Uuid),
    Column("detail", JSONB),
    Column("made_by", Text),
    Column("reason", Text),
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
VEE_NEWS = Table(
    "vee_news",
    METADATA,
    Column("run_id", Uuid, primary_key=True),
    Column("first_day", Date),
    Column("last_day", Date),
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
