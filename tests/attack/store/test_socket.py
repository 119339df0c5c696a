"""Whatever arrives on the store's socket, the store goes on and the next honest question is answered."""

from __future__ import annotations

import json
import random
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from openami.contracts.reading import ReadingBatch
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.store.wire import FrameKind, Refusal, Request, decode_refusal, frame_head, parse_frame_head
from openami.security.access.scope import Purpose, granted_scope, system_scope

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.OPERATIONS)
_ROW: dict[str, Any] = {"query": "table_sizes", "parameters": {}, "scope": None, "has_body": False}


@pytest.fixture
async def honest(store_process: Path) -> AsyncIterator[SocketStore]:
    store = SocketStore(store_process)
    yield store
    await store.table_sizes(SYSTEM)
    await store.close()


def answer_to(place: Path, octets: bytes, *, close_at_once: bool = False) -> tuple[FrameKind, bytes] | None:
    """Send octets; return the first frame that comes back, or None where the store hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.settimeout(20)
        raw.connect(str(place))
        try:
            raw.sendall(octets)
            if close_at_once:
                raw.shutdown(socket.SHUT_WR)
            head = raw.recv(5, socket.MSG_WAITALL)
            if len(head) < 5:
                return None
            kind, length = parse_frame_head(head)
            return kind, raw.recv(length, socket.MSG_WAITALL)
        except (BrokenPipeError, ConnectionResetError):
            return None


def request(row: object) -> bytes:
    octets = json.dumps(row).encode()
    return frame_head(FrameKind.REQUEST, len(octets)) + octets


def scoped(**changes: Any) -> dict[str, Any]:
    """A request for the whole fleet by a process, with changes."""
    honest_row: dict[str, Any] = json.loads(Request("table_sizes", {}, SYSTEM).encode())
    return {**honest_row, **changes}


async def test_only_our_own_user_can_open_the_socket(store_process: Path, honest: SocketStore) -> None:
    assert stat.S_IMODE(store_process.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x00" * 5, id="kind 0"),
        pytest.param(b"\xff" * 64, id="noise"),
        pytest.param(frame_head(FrameKind.REQUEST, 2**32 - 1), id="four gigabytes announced"),
        pytest.param(frame_head(FrameKind.BODY, 3) + b"abc", id="a body first"),
        pytest.param(frame_head(FrameKind.REQUEST, 3) + b"{{{", id="not JSON"),
        pytest.param(frame_head(FrameKind.REQUEST, 2) + b"[]", id="not an object"),
        pytest.param(frame_head(FrameKind.REQUEST, 100_000) + b"[" * 100_000, id="nested too deep"),
        pytest.param(request({**_ROW, "query": 7}), id="query is a number"),
        pytest.param(request({**_ROW, "scope": {"actor": "user:1"}}), id="half a scope"),
        pytest.param(
            request(scoped(scope={**scoped()["scope"], "actor": "user:1"})),
            id="a person with a process's scope",
        ),
    ],
)
async def test_what_is_not_the_protocol_is_refused(honest: SocketStore, store_process: Path, octets: bytes) -> None:
    answer = answer_to(store_process, octets)
    assert answer is not None
    assert answer[0] is FrameKind.ERROR
    refusal, text = decode_refusal(answer[1])
    assert refusal is Refusal.REFUSED
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        pytest.param(_ROW, Refusal.OUT_OF_SCOPE, id="no scope"),
        pytest.param(scoped(query="select 1"), Refusal.REFUSED, id="SQL for a name"),
        pytest.param(scoped(query="readings"), Refusal.REFUSED, id="no spans"),
        pytest.param(scoped(query="days", parameters={"channel": "x' OR 1=1"}), Refusal.REFUSED, id="SQL for a number"),
        pytest.param(scoped(query="completeness", parameters={"channel": 1}), Refusal.REFUSED, id="no times"),
        pytest.param(
            scoped(query="completeness", parameters={"channel": 1, "from_s": -5, "to_s": 2**40}),
            Refusal.REFUSED,
            id="times before all time",
        ),
        pytest.param(scoped(query="completeness", parameters={"channel": 999}), Refusal.REFUSED, id="no channel"),
        pytest.param(scoped(query="write", parameters={"token": "t", "table": "reading_raw"}), Refusal.REFUSED,
                     id="no rows"),
        pytest.param(scoped(query="write", parameters={"token": "t", "table": "system.users"}), Refusal.REFUSED,
                     id="another table"),
    ],
)  # fmt: skip
async def test_a_question_with_wrong_parameters_is_refused(
    honest: SocketStore, store_process: Path, row: object, refusal: Refusal
) -> None:
    answer = answer_to(store_process, request(row))
    assert answer is not None
    assert answer[0] is FrameKind.ERROR
    assert decode_refusal(answer[1])[0] is refusal


async def test_the_store_checks_the_scope_again_itself(honest: SocketStore, store_process: Path) -> None:
    narrow = granted_scope(
        actor="user:1", purpose=Purpose.OWN_DATA, service_points=frozenset({uuid4()}), audit_id=uuid4()
    )
    for query in ("table_sizes", "completeness", "last_readings", "conflicts"):
        parameters = {"channel": 1, "from_s": 0, "to_s": 1}
        asked = Request(query, parameters, narrow).encode()
        answer = answer_to(store_process, frame_head(FrameKind.REQUEST, len(asked)) + asked)
        assert answer is not None
        assert decode_refusal(answer[1])[0] is Refusal.OUT_OF_SCOPE


async def test_a_damaged_body_is_refused_and_stores_nothing(honest: SocketStore, store_process: Path) -> None:
    dice = random.Random(3)
    before = await honest.table_sizes(SYSTEM)
    asked = request(scoped(query="write", parameters={"token": "t", "table": "reading_raw"}, has_body=True))
    whole = ReadingBatch.empty().encode()
    for _ in range(60):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
        cut = bytes(body[: dice.randint(0, len(body))])
        answer = answer_to(store_process, asked + frame_head(FrameKind.BODY, len(cut)) + cut)
        assert answer is not None
        assert answer[0] in {FrameKind.ERROR, FrameKind.END}
    assert await honest.table_sizes(SYSTEM) == before


async def test_a_client_that_hangs_up_midway_disturbs_nobody(honest: SocketStore, store_process: Path) -> None:
    octets = request(scoped())
    for cut in range(len(octets)):
        assert answer_to(store_process, octets[:cut], close_at_once=True) is None
