"""The store's own protocol: frames on a Unix socket, requests and answers. Pure: octets in, values out.

A frame is ``kind u8 | length u32 big-endian | octets``. A client sends REQUEST (a JSON object: ``query``,
``parameters`` and, for reads, ``scope``) and then at most one BODY (an Arrow IPC stream: spans, service points or rows
to keep). The store answers with any number of PART frames (Arrow IPC streams, each a whole stream of one record batch)
and one END, or with ERROR at any point. There is no SQL in it: a query has a name and typed parameters.

The socket lives in the home with mode 0600 and the peer's user id is checked, so a scope on the wire comes from one of
our own processes, which got it from a decision. It is checked on both ends.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.security.access.scope import Purpose, Scope, granted_scope, system_scope

HEAD = struct.Struct(">BI")
MAX_REQUEST_OCTETS = 64 * 1024 * 1024
"""A request names at most some 300,000 service points with their periods in its scope; a real one has a few."""
MAX_BODY_OCTETS = 160 * 1024 * 1024
"""Two million readings, the largest batch of the reading contract, are 96 MB."""


class WireError(OpenAmiError):
    """Octets on the store's socket that are not its protocol."""


class FrameKind(IntEnum):
    """Kinds of frames."""

    REQUEST = 1
    BODY = 2
    PART = 3
    END = 4
    ERROR = 5


class Refusal(IntEnum):
    """Why the store did not answer. The client raises the matching error."""

    UNAVAILABLE = 1
    REFUSED = 2
    OUT_OF_SCOPE = 3


@dataclass(frozen=True, slots=True)
class Request:
    """One named query.

    Args:
        query: its name.
        parameters: JSON values by name.
        scope: what may be read; None only for writes.
        has_body: whether a BODY frame follows.
    """

    query: str
    parameters: dict[str, Any] = field(default_factory=dict)
    scope: Scope | None = None
    has_body: bool = False

    def encode(self) -> bytes:
        """Return the request as JSON."""
        row = {
            "query": self.query,
            "parameters": self.parameters,
            "scope": None if self.scope is None else _scope_row(self.scope),
            "has_body": self.has_body,
        }
        return json.dumps(row, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, octets: bytes) -> Request:
        """Read a request.

        Raises:
            WireError: not a request.
        """
        try:
            row = json.loads(octets)
            if not (isinstance(row["query"], str) and isinstance(row["parameters"], dict)):
                raise WireError("request: query and parameters have other types")
            scope = None if row["scope"] is None else _scope_of(row["scope"])
            return cls(row["query"], row["parameters"], scope, bool(row["has_body"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WireError(f"request: {type(error).__name__}") from error


def frame_head(kind: FrameKind, length: int) -> bytes:
    """Return the five octets before a frame's content."""
    return HEAD.pack(kind, length)


def parse_frame_head(octets: bytes) -> tuple[FrameKind, int]:
    """Read the five octets before a frame's content.

    Raises:
        WireError: an unknown kind, or more octets than that kind may have.
    """
    number, length = HEAD.unpack(octets)
    try:
        kind = FrameKind(number)
    except ValueError as error:
        raise WireError(f"frame: kind {number} at offset 0 is unknown") from error
    limit = MAX_BODY_OCTETS if kind in {FrameKind.BODY, FrameKind.PART} else MAX_REQUEST_OCTETS
    if length > limit:
        raise WireError(f"frame: {length} octets announced at offset 1, the limit is {limit}")
    return kind, length


def encode_refusal(refusal: Refusal, text: str) -> bytes:
    """Return the content of an ERROR frame."""
    return json.dumps({"refusal": int(refusal), "text": text}).encode()


def decode_refusal(octets: bytes) -> tuple[Refusal, str]:
    """Read the content of an ERROR frame.

    Raises:
        WireError: not a refusal.
    """
    try:
        row = json.loads(octets)
        return Refusal(row["refusal"]), str(row["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"refusal: {type(error).__name__}") from error


def encode_columns(batch: pa.RecordBatch) -> pa.Buffer:
    """Return one record batch as an Arrow IPC stream."""
    # Counted first, then written into memory of that size: a buffer that grows copies what is in it each time.
    counted = pa.MockOutputStream()
    _write_stream(counted, batch)
    whole = pa.allocate_buffer(counted.size())
    _write_stream(pa.FixedSizeBufferWriter(whole), batch)
    return whole


def _write_stream(sink: pa.NativeFile, batch: pa.RecordBatch) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def decode_columns(octets: bytes | bytearray | memoryview | pa.Buffer) -> pa.RecordBatch:
    """Read an Arrow IPC stream as one record batch, validated so that no offset points outside it.

    Raises:
        ContractError: not such a stream.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(octets)) as reader:
            table = reader.read_all()
        batches = table.combine_chunks().to_batches()
        batch = batches[0] if batches else _no_rows(table.schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ContractError(f"not an Arrow stream: {type(error).__name__}") from error
    return batch


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)


def _scope_row(scope: Scope) -> dict[str, Any]:
    points, periods = scope.service_points, scope.periods
    return {
        "actor": scope.actor,
        "purpose": scope.purpose.value,
        "service_points": None if points is None else [p.hex for p in points],
        "audit_id": None if scope.audit_id is None else scope.audit_id.hex,
        "periods": None
        if periods is None
        else {k.hex: [[p.start.isoformat(), p.end.isoformat()] for p in v] for k, v in periods.items()},
    }


def _scope_of(row: dict[str, Any]) -> Scope:
    actor, purpose = row["actor"], Purpose(row["purpose"])
    if row["service_points"] is None:
        if not actor.startswith("process:"):
            raise WireError("request: a scope without service points is for processes alone")
        return system_scope(process=actor.removeprefix("process:"), purpose=purpose)
    periods = row["periods"]
    return granted_scope(
        actor=actor,
        purpose=purpose,
        service_points=frozenset(UUID(hex=h) for h in row["service_points"]),
        audit_id=UUID(hex=row["audit_id"]),
        periods=None
        if periods is None
        else {
            UUID(hex=k): tuple(Period(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in v)
            for k, v in periods.items()
        },
    )
