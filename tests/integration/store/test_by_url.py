"""The store over a ClickHouse by URL: the same tables, statements and answers, through the HTTP interface.

Of the interface the other end is a stand-in over the real engine (:mod:`tests.integration.store.clickhouse_stand_in`);
what a cluster does to the statements is asked of the engine itself, with an in-memory keeper.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import ROOT, free_port
from tests.integration.store.support import START_S, quarter_hours

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.reading import ReadingBatch, arrow_column, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_engine import StoreEngine
from openami.mdm.adapters.store_service import StoreService
from openami.mdm.ports import MeterSpan, StoreError, StoreUnavailableError
from openami.mdm.store import queries
from openami.mdm.store.answers import values as values_of
from openami.mdm.store.day_columns import full_days, sparse_days
from openami.mdm.store.schema import Table, cluster_ddl, embedded_ddl, server_file
from openami.mdm.store.spans import granted_spans, span_columns
from openami.mdm.store.wire import Request, encode_columns
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
CLOCK = FixedClock(datetime(2026, 6, 1, tzinfo=UTC))
WHOLE = Period(instant_from_epoch_s(START_S), instant_from_epoch_s(START_S) + timedelta(days=1))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("ch"), free_port()
    command = [sys.executable, "-m", "tests.integration.store.clickhouse_stand_in", str(folder), str(port)]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "ready").exists():
            assert child.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the stand-in did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/default"
    finally:
        child.kill()
        child.wait(20)


@pytest.fixture(scope="module")
def service(url: str) -> Iterator[StoreService]:
    with pytest.raises(StoreError, match=r"lacks meter_id.*run deploy/clickhouse/server\.sql"):
        StoreEngine.by_url(url)
    from clickhouse_connect import get_client

    client = get_client(dsn=url)
    for statement in embedded_ddl():
        client.command(statement)
    client.close()
    engine = StoreEngine.by_url(url)
    yield StoreService(engine, CLOCK)
    engine.close()


def asked(service: StoreService, query: str, columns: pa.RecordBatch, **parameters: object) -> list[pa.RecordBatch]:
    request = Request(query, {"channel": int(Channel.DELIVERED), **parameters}, SYSTEM, has_body=True)
    return list(service.answer(request, memoryview(encode_columns(columns))))


def read(service: StoreService, meters: list[UUID]) -> list[int]:
    spans = granted_spans(SYSTEM, [MeterSpan(m, m, WHOLE) for m in meters], WHOLE)
    return [int(v) for v in values_of(asked(service, "values", span_columns(spans))).value]


def test_readings_written_by_url_are_read_again_once(service: StoreService) -> None:
    meter = uuid4()
    for token in ("a", "a", "b"):
        service.keep(quarter_hours(meter, 4), token=token)
    assert read(service, [meter]) == [0, 1, 2, 3]


def test_a_question_about_five_thousand_meters_fits_into_a_servers_limits(service: StoreService) -> None:
    meters = [uuid4() for _ in range(5_000)]
    batch = quarter_hours(meters[0], 5_000)
    every = ReadingBatch(
        meter_id=uuid_column(meters), channel=batch.channel, start=np.full(5_000, START_S),
        interval_s=batch.interval_s, value=batch.value, quality=batch.quality, source=batch.source,
        message_id=batch.message_id,
    )  # fmt: skip
    service.keep(every, token="many")
    assert sorted(read(service, meters)) == list(range(5_000))


def test_days_and_their_totals_come_back_by_url(service: StoreService) -> None:
    point, when = uuid4(), date(2026, 3, 8)
    values = np.arange(92, dtype=np.int64)
    start = datetime(2026, 3, 8, 6, tzinfo=UTC)
    zeros = np.zeros(92, np.uint8)
    rows = [
        DayVersion(point, Channel.DELIVERED, when, 900, start, v, start + timedelta(days=v), uuid4(), values * v,
                   quality=zeros, method=zeros, band_low=values * v, band_high=values * v)
        for v in (1, 2)
    ]  # fmt: skip
    service.engine.insert(Table.READING_DAY, sparse_days(DayTable.from_rows(rows)), token="days")
    points = pa.RecordBatch.from_arrays(
        [arrow_column(uuid_column([point]), pa.binary(16))], schema=queries.POINT_SCHEMA
    )
    number = when.toordinal() - date(1970, 1, 1).toordinal()
    for known_at, expected in ((None, 2), (int((start + timedelta(days=1)).timestamp()), 1)):
        bounds = {"first": number, "last": number, "known_at": known_at}
        (part,) = asked(service, "days", points, **bounds)
        assert full_days(part).values.tolist() == (values * expected).tolist()
        (totals,) = asked(service, "daily_totals", points, **bounds)
        assert totals.column("total").to_pylist() == [int(values.sum()) * expected]


def test_an_error_of_the_server_names_its_kind_and_quotes_no_row(service: StoreService) -> None:
    with pytest.raises(StoreError) as caught:
        service.engine.fetch("SELECT throwIf(1, 'secret 4711') AS a", {})
    assert "4711" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailableError):
        StoreEngine.by_url(f"http://127.0.0.1:{free_port()}/default")


def test_a_backup_says_that_the_intervals_are_on_a_server(service: StoreService) -> None:
    request = Request("hold", {"name": "abcdefgh", "seconds": 5}, SYSTEM)
    with pytest.raises(StoreError, match="on a ClickHouse server: back them up there"):
        list(service.answer(request, None))


def test_the_server_file_is_the_one_the_code_would_write() -> None:
    assert (ROOT / "deploy" / "clickhouse" / "server.sql").read_text() == server_file()


_CLUSTER = """
import os
import signal
import sys
from pathlib import Path
from clickhouse_connect import get_client
from openami.mdm.adapters.store_engine import READ_SETTINGS, SERVER_SETTINGS
from openami.mdm.store import queries
from openami.mdm.store.schema import cluster_ddl
from openami.mdm.store.spans import SpanRow

def run():
    global h
    folder = Path(sys.argv[1])
    shard = (
        "<shard><internal_replication>true</internal_replication><replica><host>localhost</host>"
        "<port>9000</port></replica></shard>"
    )
    (folder / "config.xml").write_text(
        "<clickhouse><zookeeper><implementation>testkeeper</implementation></zookeeper>"
        "<macros><shard>01</shard><replica>r1</replica></macros>"
        f"<remote_servers><openami>{shard * 2}</openami></remote_servers></clickhouse>"
    )
    options = {"config-file": str(folder / "config.xml")}
    h = get_client(interface="chdb", path=str(folder / "engine"), chdb_options=options)
    # The keeper in memory makes tables and takes no more: a column added later is refused as read-only.
    for statement in (s for s in cluster_ddl("openami") if s.startswith("CREATE")):
        h.command(statement.replace(" ON CLUSTER openami", ""))
    engines = h.raw_query("SELECT name, engine FROM system.tables WHERE database = 'default' ORDER BY name", fmt="TSV")
    print(engines.decode())
    for name, value in {**READ_SETTINGS, **(SERVER_SETTINGS if sys.argv[2] == "with" else {})}.items():
        h.set_client_setting(name, value)
    spans = [SpanRow(b"p" * 16, b"m" * 16, 0, 100)]
    points = [b"p" * 16]
    for statement in (
        queries.select_readings(1, spans), queries.select_values(1, spans), queries.select_registers(1, spans, 5),
        queries.select_days(1, points, 1, 2, 5), queries.select_totals(1, points, 1, 2, None),
        queries.select_fleet_hours(1, 0, 9), queries.select_last(spans, 0, 9), queries.select_conflicts(1, spans, 0, 9),
        ):
        try:
            h.raw_query("EXPLAIN " + statement.sql, parameters=statement.parameters, fmt="TSV")
        except Exception as error:
            print("refused", getattr(error, "name", None) or str(error)[:200], statement.sql[:60])

try:
    run()
except Exception as error:
    print("failed", str(error)[:500])
sys.stdout.flush()
# An engine that has replicated tables does not end by itself.
os.kill(os.getpid(), signal.SIGKILL)
"""


def on_a_cluster(folder: Path, settings: str) -> str:
    command = [sys.executable, "-c", _CLUSTER, str(folder), settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "failed" not in done.stdout, done.stdout + done.stderr[-2000:]
    return done.stdout


def test_the_clusters_tables_are_made_and_take_every_statement(tmp_path: Path) -> None:
    said = on_a_cluster(tmp_path, "with")
    for table in Table:
        assert f"{table}\tDistributed" in said
        assert f"{table}_local\tReplicatedReplacingMergeTree" in said
    assert "refused" not in said
    assert sum("CREATE TABLE" in statement for statement in cluster_ddl("openami")) == 2 * len(Table)


def test_without_our_settings_a_cluster_refuses_the_search_for_conflicts(tmp_path: Path) -> None:
    assert "refused" in on_a_cluster(tmp_path, "without")
