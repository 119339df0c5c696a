"""The store's tables as text."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import numpy as np

from openami.contracts.reading import RegisterBatch, uuid_column
from openami.mdm.store.announce import MAX_METERS, announcement
from openami.mdm.store.schema import TABLES, cluster_ddl, embedded_ddl

ROOT = Path(__file__).parents[3]


def test_the_cluster_file_is_the_one_the_code_would_write() -> None:
    text = (ROOT / "deploy" / "clickhouse" / "cluster.sql").read_text()
    statements = ";\n\n".join(cluster_ddl("openami"))
    assert text.split("\n\n", 1)[1] == statements + ";\n", "write cluster_file() of openami.mdm.store.schema there"


def test_embedded_and_cluster_tables_have_the_same_columns_and_keys() -> None:
    one, many = embedded_ddl(), cluster_ddl("openami")[: 2 * len(TABLES) : 2]
    for spec, a, b in zip(TABLES, one[: len(TABLES)], many, strict=True):
        for column in spec.columns:
            assert column in a
            assert column in b
        assert f"ORDER BY ({spec.order_by})" in a
        assert f"ORDER BY ({spec.order_by})" in b


def registers(count: int, first: int = 0) -> RegisterBatch:
    return RegisterBatch(
        meter_id=uuid_column([UUID(int=(first + i) << 8) for i in range(count)]),
        channel=np.ones(count, np.uint8),
        at=np.arange(count, dtype=np.int64),
        value=np.ones(count, np.int64),
        source=np.ones(count, np.uint8),
        message_id=np.ones(count, np.uint64),
    )


def test_an_announcement_names_up_to_a_thousand_meters() -> None:
    said = json.loads(announcement("register", registers(MAX_METERS)))
    # Ids that end in zero octets come back whole.
    assert said["meters"] == sorted(UUID(int=i << 8).hex for i in range(MAX_METERS))
    assert (said["many"], said["rows"], said["first"], said["last"]) == (False, MAX_METERS, 0, MAX_METERS - 1)


def test_an_announcement_of_more_meters_only_says_many() -> None:
    said = json.loads(announcement("register", registers(MAX_METERS + 1)))
    assert (said["many"], said["meters"]) == (True, [])


def test_an_announcement_of_nothing_names_no_time() -> None:
    said = json.loads(announcement("reading", RegisterBatch.empty()))
    assert (said["rows"], said["first"], said["last"], said["meters"]) == (0, None, None, [])
