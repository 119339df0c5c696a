"""The embedded engine's faults and limits are fenced in: each guard has its test."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from openami.mdm.adapters.store_engine import (
    MARK_CACHE_OCTETS,
    MEMORY_LIMIT_OCTETS,
    READ_HANDLES,
    StoreEngine,
    StoreOwnedError,
)
from openami.mdm.ports import StoreError, StoreUnavailableError
from openami.mdm.store.schema import TABLES

pytestmark = pytest.mark.engines
BREAKS_MIDWAY = "SELECT number AS a, toUInt8(throwIf(number = 3000000, 'secret 4711')) AS b FROM numbers(5000000)"


@pytest.fixture(scope="module")
def engine() -> Iterator[StoreEngine]:
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="oa-en-") as folder:
        opened = StoreEngine.embedded(Path(folder))
        yield opened
        opened.close()
        tempfile.tempdir = before


def test_no_row_of_a_query_that_broke_midway_reaches_the_next_answer(engine: StoreEngine) -> None:
    discarded = engine.handles_discarded
    for _ in range(READ_HANDLES):
        with pytest.raises(StoreError):
            engine.fetch(BREAKS_MIDWAY, {})
        for _ in range(READ_HANDLES + 1):
            assert engine.fetch("SELECT toUInt64(42) AS a, toUInt8(7) AS b", {}).to_pylist() == [{"a": 42, "b": 7}]
    assert engine.handles_discarded == discarded + READ_HANDLES


def test_without_the_guard_the_next_answer_is_spoilt(engine: StoreEngine) -> None:
    # When this fails the engine has been mended: the guard may then be weighed anew.
    handle = engine._open_handle()
    with pytest.raises(Exception, match="FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"):
        handle.raw_query(BREAKS_MIDWAY, fmt="ArrowStream")
    octets = handle.raw_query("SELECT toUInt64(42) AS a, toUInt8(7) AS b", fmt="ArrowStream")
    handle.close()
    try:
        rows = pa.ipc.open_stream(octets).read_all().to_pylist()
    except (pa.ArrowException, OSError):
        rows = None
    assert rows != [{"a": 42, "b": 7}]


def test_a_query_over_its_memory_is_refused_and_the_next_is_answered(engine: StoreEngine) -> None:
    with pytest.raises(StoreUnavailableError, match="MEMORY_LIMIT_EXCEEDED"):
        engine.fetch("SELECT groupArray(number) AS a FROM numbers(200000000)", {})
    assert engine.fetch("SELECT 1 AS one", {}).to_pylist() == [{"one": 1}]


def test_an_error_names_its_kind_and_quotes_no_row(engine: StoreEngine) -> None:
    with pytest.raises(StoreError) as caught:
        engine.fetch("SELECT throwIf(1, 'secret 4711') AS a", {})
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO" in str(caught.value)


def test_a_forked_child_is_refused_where_the_engine_would_hang(engine: StoreEngine) -> None:
    child = os.fork()
    if not child:
        try:
            engine.fetch("SELECT 1 AS one", {})
        except StoreError:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_second_owner_is_refused_and_told_who_owns_the_folder(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from openami.mdm.adapters.store_engine import StoreEngine;"
        "e = StoreEngine.embedded(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read(); e.close()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    try:
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(StoreOwnedError, match=str(owner.pid)):
            StoreEngine.embedded(tmp_path)
    finally:
        owner.communicate(timeout=30)


def test_memory_and_mark_cache_are_limited(engine: StoreEngine) -> None:
    rows = engine.fetch(
        "SELECT name, value FROM system.server_settings WHERE name IN ('max_server_memory_usage', 'mark_cache_size', "
        "'memory_worker_use_cgroup', 'memory_worker_rss_speculative_reserve_ratio')",
        {},
    )
    assert {r["name"]: int(r["value"]) for r in rows.to_pylist()} == {
        "max_server_memory_usage": MEMORY_LIMIT_OCTETS,
        "mark_cache_size": MARK_CACHE_OCTETS,
        # Neither what other processes hold nor a guess of the next moment counts against the limit.
        "memory_worker_use_cgroup": 0,
        "memory_worker_rss_speculative_reserve_ratio": 0,
    }


@pytest.mark.parametrize("table", [t.name for t in TABLES])
def test_an_insert_is_on_disk_before_it_is_acknowledged(engine: StoreEngine, table: str) -> None:
    sql = "SELECT engine_full FROM system.tables WHERE name = {name:String}"
    (row,) = engine.fetch(sql, {"name": table}).to_pylist()
    for setting in ("fsync_after_insert = 1", "fsync_part_directory = 1", "non_replicated_deduplication_window"):
        assert setting in row["engine_full"]


def test_temporary_files_stay_on_the_data_disk_and_are_gone_after_an_insert(engine: StoreEngine) -> None:
    private = Path(tempfile.gettempdir())
    assert (private.parent / "owner.lock").exists()
    assert list(private.glob("*.raw")) == []


def test_an_open_engine_is_warm_it_has_inserted_and_read_every_table_before_anyone_asks(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from openami.mdm.adapters.store_engine import StoreEngine;"
        "e = StoreEngine.embedded(Path(sys.argv[1]));"
        "print(e.fetch('SELECT event, value FROM system.events', {}).to_pylist());"
        "print(e.fetch('SELECT count() AS n FROM warm_up', {}).to_pylist()); e.close()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=100)  # noqa: PLW1510
    events, left = (ast.literal_eval(line) for line in done.stdout.splitlines())
    counted = {row["event"]: row["value"] for row in events}
    assert counted["InsertQuery"] >= 1
    assert counted["SelectQuery"] >= len(TABLES)
    assert left == [{"n": 0}]
