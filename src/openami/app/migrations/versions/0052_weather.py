"""Temperatures by weather station and local day, and which places a station speaks for: added to, never altered.

Revision ID: 0052_weather
"""

from alembic import op

revision = "0052_weather"
down_revision = "0051_bills_stay"
branch_labels = None
depends_on = None

TABLES = """
create table mdm.weather_station (
    station text primary key check (station ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$'),
    zone text not null,
    source text not null,
    name text not null,
    is_simulated boolean not null,
    made_by uuid,
    made_at timestamptz not null
);
create table mdm.weather_day (
    station text not null references mdm.weather_station,
    local_day date not null,
    version integer not null check (version >= 1),
    min_dc smallint not null check (min_dc between -900 and 600),
    max_dc smallint not null check (max_dc between min_dc and 600),
    mean_dc smallint check (mean_dc between min_dc and max_dc),
    loaded_by uuid,
    loaded_at timestamptz not null,
    primary key (station, local_day, version)
);
create table mdm.weather_use (
    use_id bigint generated always as identity primary key,
    station text not null references mdm.weather_station,
    first_day date not null,
    transformer text not null,
    feeder text not null,
    reason text not null check (length(reason) between 5 and 500),
    made_by uuid,
    made_at timestamptz not null,
    check (transformer = '' or feeder = '')
);
comment on column mdm.weather_day.min_dc is 'tenths of a degree Celsius, over the local day of the station';
comment on column mdm.weather_day.loaded_at is 'domain time; the highest version of a day is the one in force';
comment on column mdm.weather_day.loaded_by is 'null: the demonstration';
comment on column mdm.weather_use.transformer is 'empty with an empty feeder: every place of the installation';
revoke update, delete on mdm.weather_station, mdm.weather_day, mdm.weather_use from openami_mdm
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("weather_use", "weather_day", "weather_station"):
        op.execute(f"drop table if exists mdm.{table}")
