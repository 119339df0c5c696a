-- Tables of the interval store on a ClickHouse cluster named openami. Written by openami.mdm.store.schema.
-- Each server needs the macros {shard} and {replica}. Then set OPENAMI_CLICKHOUSE_URL.

CREATE TABLE IF NOT EXISTS reading_raw_local ON CLUSTER openami
(
    meter_id FixedString(16) CODEC(ZSTD(1)),
    channel UInt8 CODEC(ZSTD(1)),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    interval_s UInt32 CODEC(ZSTD(1)),
    value Int64 CODEC(T64, ZSTD(1)),
    quality UInt16 CODEC(ZSTD(1)),
    source UInt8 CODEC(ZSTD(1)),
    message_id UInt64 CODEC(DoubleDelta, ZSTD(1)),
    keep UInt64 CODEC(Delta, ZSTD(1)),
    ingested_at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(18446744073709551615 - keep), 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/reading_raw_local', '{replica}', keep)
PARTITION BY toYYYYMM(start)
ORDER BY (toDate(start), meter_id, channel, start, interval_s, source, message_id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS reading_raw ON CLUSTER openami AS reading_raw_local
ENGINE = Distributed(openami, currentDatabase(), reading_raw_local, sipHash64(meter_id))
SETTINGS fsync_after_insert = 1, fsync_directories = 1;

CREATE TABLE IF NOT EXISTS register_read_local ON CLUSTER openami
(
    meter_id FixedString(16) CODEC(ZSTD(1)),
    channel UInt8 CODEC(ZSTD(1)),
    at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Int64 CODEC(Delta, ZSTD(1)),
    source UInt8 CODEC(ZSTD(1)),
    message_id UInt64 CODEC(DoubleDelta, ZSTD(1)),
    keep UInt64 CODEC(Delta, ZSTD(1)),
    ingested_at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(18446744073709551615 - keep), 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/register_read_local', '{replica}', keep)
PARTITION BY toYYYYMM(at)
ORDER BY (meter_id, channel, at, source, message_id)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS register_read ON CLUSTER openami AS register_read_local
ENGINE = Distributed(openami, currentDatabase(), register_read_local, sipHash64(meter_id))
SETTINGS fsync_after_insert = 1, fsync_directories = 1;

CREATE TABLE IF NOT EXISTS reading_day_local ON CLUSTER openami
(
    service_point_id FixedString(16) CODEC(ZSTD(1)),
    channel UInt8 CODEC(ZSTD(1)),
    local_day Date CODEC(DoubleDelta, ZSTD(1)),
    interval_s UInt32 CODEC(ZSTD(1)),
    start_utc DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    version UInt64 CODEC(ZSTD(1)),
    known_at DateTime('UTC') CODEC(ZSTD(1)),
    run_id FixedString(16) CODEC(ZSTD(1)),
    values Array(Int64) CODEC(T64('bit'), ZSTD(1)),
    quality Array(UInt8) CODEC(ZSTD(1)),
    method Array(UInt8) CODEC(ZSTD(1)),
    below Array(Int64) CODEC(T64, ZSTD(1)),
    above Array(Int64) CODEC(T64, ZSTD(1)),
    total Int64 MATERIALIZED arraySum(values) CODEC(T64, ZSTD(1)),
    intervals UInt16 MATERIALIZED length(values) CODEC(ZSTD(1)),
    estimated UInt16 MATERIALIZED countEqual(quality, 1) CODEC(ZSTD(1)),
    missing UInt16 MATERIALIZED countEqual(quality, 2) CODEC(ZSTD(1)),
    maximum Int64 MATERIALIZED arrayMax(values) CODEC(T64, ZSTD(1)),
    state UInt8 DEFAULT multiIf(missing > 0, 2, estimated > 0, 1, 0) CODEC(ZSTD(1)),
    base Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    digest UInt32 DEFAULT 0 CODEC(NONE),
    profile Array(Int32) CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/reading_day_local', '{replica}')
PARTITION BY toYYYYMM(local_day)
ORDER BY (service_point_id, channel, local_day, version, run_id)
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS reading_day ON CLUSTER openami AS reading_day_local
ENGINE = Distributed(openami, currentDatabase(), reading_day_local, sipHash64(service_point_id))
SETTINGS fsync_after_insert = 1, fsync_directories = 1;

ALTER TABLE reading_day_local ON CLUSTER openami ADD COLUMN IF NOT EXISTS maximum Int64 MATERIALIZED arrayMax(values) CODEC(T64, ZSTD(1));

ALTER TABLE reading_day_local ON CLUSTER openami ADD COLUMN IF NOT EXISTS state UInt8 DEFAULT multiIf(missing > 0, 2, estimated > 0, 1, 0) CODEC(ZSTD(1));

ALTER TABLE reading_day_local ON CLUSTER openami ADD COLUMN IF NOT EXISTS base Int64 DEFAULT 0 CODEC(T64, ZSTD(1));

ALTER TABLE reading_day_local ON CLUSTER openami ADD COLUMN IF NOT EXISTS digest UInt32 DEFAULT 0 CODEC(NONE);

ALTER TABLE reading_day_local ON CLUSTER openami ADD COLUMN IF NOT EXISTS profile Array(Int32) CODEC(T64, ZSTD(1));

ALTER TABLE reading_day ON CLUSTER openami ADD COLUMN IF NOT EXISTS maximum Int64 MATERIALIZED arrayMax(values) CODEC(T64, ZSTD(1));

ALTER TABLE reading_day ON CLUSTER openami ADD COLUMN IF NOT EXISTS state UInt8 DEFAULT multiIf(missing > 0, 2, estimated > 0, 1, 0) CODEC(ZSTD(1));

ALTER TABLE reading_day ON CLUSTER openami ADD COLUMN IF NOT EXISTS base Int64 DEFAULT 0 CODEC(T64, ZSTD(1));

ALTER TABLE reading_day ON CLUSTER openami ADD COLUMN IF NOT EXISTS digest UInt32 DEFAULT 0 CODEC(NONE);

ALTER TABLE reading_day ON CLUSTER openami ADD COLUMN IF NOT EXISTS profile Array(Int32) CODEC(T64, ZSTD(1));
