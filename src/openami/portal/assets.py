"""The built web application as files: hashed assets for ever, the page itself never cached, any other path the page.

Files are read once at start: they are few, and a request then touches no disk.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI, Request, Response

from openami.portal.problem import not_found

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
_NOT_BUILT = (
    "<!doctype html><html lang=en><title>OpenAMI</title><p>The web application is not built. "
    "Run <code>make web</code> and restart; the interface under /api/v1 works without it."
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to send."""

    body: bytes
    media_type: str
    cache: str
    etag: str


def read_assets(folder: Path | None) -> dict[str, Asset]:
    """Return every file of the built application by its path, with ``index.html`` as the page."""
    assets: dict[str, Asset] = {}
    if folder is not None and folder.is_dir():
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            assets[name] = _asset(path.read_bytes(), media_type, is_hashed=name.startswith("assets/"))
    assets.setdefault("index.html", _asset(_NOT_BUILT.encode(), "text/html", is_hashed=False))
    return assets


def mount_assets(app: FastAPI, folder: Path | None) -> None:
    """Serve the application at every path that is not the interface's."""
    assets = read_assets(folder)

    async def serve(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            raise not_found("page")
        is_file = path in assets
        if not is_file and path.startswith("assets/"):
            raise not_found("file")
        asset = assets[path if is_file else "index.html"]
        headers = {"Cache-Control": asset.cache, "ETag": asset.etag}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    app.add_api_route("/{path:path}", serve, methods=["GET", "HEAD"], include_in_schema=False)


def _asset(body: bytes, media_type: str, *, is_hashed: bool) -> Asset:
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    return Asset(body, media_type, IMMUTABLE if is_hashed else REVALIDATE, etag)
