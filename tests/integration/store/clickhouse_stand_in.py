"""A stand-in for a ClickHouse server: its HTTP interface over the real engine, in a process of its own.

The package registries have no server of a version that is not years old, so the road by URL is tried on the engine
itself behind the interface as its manual describes it: SQL in the query or the body, ``param_x`` and settings beside
it, data of an insert in the body, errors as text with a code. Two limits of a real server that bite are kept: of a
field's length (``http_max_field_value_size``) and of an address (``http_max_uri_size``). It is no server: no users, no
replicas, one query at a time.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_FIELD_OCTETS = 131_072
MAX_ADDRESS_OCTETS = 1_048_576
_NOT_SETTINGS = {
    "query",
    "wait_end_of_query",
    "buffer_size",
    "compress",
    "decompress",
    "database",
    "session_id",
    "default_format",
    "user",
    "password",
    "query_id",
    "client_protocol_version",
}
_CODE = re.compile(r"Code: (\d+)")
_ONE = threading.Lock()


class RefusedError(Exception):
    """What the server would refuse before the engine sees it."""


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    connection_to: Any
    folder: Path

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a ping or a query."""
        self.do_POST()

    def do_POST(self) -> None:
        """Run one query."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        try:
            self._answer(200, self._run(body))
        except RefusedError as error:
            self._answer(400, f"Code: 36. DB::Exception: {error} (BAD_ARGUMENTS)".encode(), code="36")
        except RuntimeError as error:
            found = _CODE.search(str(error))
            self._answer(500, str(error).encode(), code=found.group(1) if found else "1000")

    def _chunks(self) -> bytes:
        parts = []
        while length := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _run(self, body: bytes) -> bytes:
        if len(self.path) > MAX_ADDRESS_OCTETS:
            raise RefusedError("the address is too long")
        fields = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        kind = self.headers.get("Content-Type") or ""
        if kind.startswith("multipart/form-data"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
                name = str(part.get_param("name", header="content-disposition"))
                fields[name] = bytes(part.get_payload(decode=True) or b"").decode()
            body = b""
        for name, value in fields.items():
            if name != "query" and len(value) > MAX_FIELD_OCTETS:
                raise RefusedError(f"field value of {name} too long")
        return self._engine(fields, body)

    def _engine(self, fields: dict[str, str], body: bytes) -> bytes:
        query = fields.get("query", "")
        if "query" not in fields or not query.lstrip().upper().startswith("INSERT"):
            query, body = (query + body.decode()).strip().rstrip(";"), b""
        with _ONE, tempfile.NamedTemporaryFile(dir=self.folder) as data:
            if body:
                data.write(body)
                data.flush()
                query = re.sub(
                    r"\bFORMAT\b(?!.*\bFORMAT\b)", f"FROM INFILE '{data.name}' FORMAT", query, flags=re.DOTALL
                )
            connection = self.connection_to()
            try:
                for name, value in fields.items():
                    if name not in _NOT_SETTINGS:
                        connection.query(f"SET {name} = {quoted(value)}", "TSV")
                answer = connection.query(query, fields.get("default_format", "TSV"))
                return bytes(answer.bytes() or b"")
            finally:
                connection.close()

    def _answer(self, status: int, content: bytes, *, code: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-ClickHouse-Server-Timezone", "UTC")
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(content)


def serve(folder: Path, port: int) -> None:
    """Serve until killed."""
    import chdb

    place = f"{folder / 'engine'}"
    # The first stays open: with the last one closed the engine would shut down.
    connect: Any = chdb.connect
    held = connect(place)
    Handler.connection_to = staticmethod(lambda: connect(place))
    Handler.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    (folder / "ready").touch()
    server.serve_forever()
    held.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
