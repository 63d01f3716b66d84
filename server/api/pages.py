"""The built pages, held in memory: a path is a key, so there is nothing to climb out of."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from server.api.guards import public

FOLDER: Final = Path(__file__).parents[1] / "static"
NOT_PAGES: Final = frozenset({"api", "live", "health", "openapi.json", "docs", "redoc", "metrics"})
"""First parts of paths that never answer with the shell."""
_HASHED = re.compile(r"(^|/)assets/.+-[\w-]{8,}\.\w+$")
_YEAR, _ASK = "public, max-age=31536000, immutable", "no-cache"

NOT_BUILT: Final = """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<title>Muster</title>
<h1>Muster</h1>
<p lang="zh-CN">页面尚未构建。请在源码目录运行 <code>make web</code>，然后重启服务器。接口 /api 已可用。</p>
<p lang="en">The pages are not built. Run <code>make web</code> in the source folder and start the server again.
The API under /api works.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One file, ready to send."""

    body: bytes
    zipped: bytes | None
    media_type: str
    cache: str
    etag: str


def load_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Every built file by its path below the folder; a note how to build them when there are none."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    pages = {
        name: _page(name, path.read_bytes(), files[f"{name}.gz"].read_bytes() if f"{name}.gz" in files else None)
        for name, path in files.items()
        if path.suffix != ".gz"
    }
    pages.setdefault("index.html", _page("index.html", NOT_BUILT.encode(), None))
    return pages


def serve_pages(app: FastAPI, pages: Mapping[str, Page]) -> None:
    """Answer every path that nothing else took; to be called last."""

    async def page(request: Request, path: str) -> Response:
        found = pages.get(path) or _shell(path, pages)
        if found is None:
            raise HTTPException(404)
        return _send(request, found)

    app.add_api_route("/{path:path}", page, methods=["GET", "HEAD"], dependencies=[public], include_in_schema=False)


def _page(name: str, body: bytes, zipped: bytes | None) -> Page:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type.endswith(("javascript", "json")):
        media_type += "; charset=utf-8"
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Page(body, zipped, media_type, _YEAR if _HASHED.search(name) else _ASK, etag)


def _shell(path: str, pages: Mapping[str, Page]) -> Page | None:
    """The page that shows every address of the application; None for what looks like a file or is not a page."""
    first, last = path.partition("/")[0], path.rpartition("/")[2]
    return None if first in NOT_PAGES or "." in last else pages["index.html"]


def _send(request: Request, page: Page) -> Response:
    headers = {"Cache-Control": page.cache, "ETag": page.etag, "Vary": "Accept-Encoding"}
    if page.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = page.body
    if page.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = page.zipped, "gzip"
    return Response(body, headers=headers, media_type=page.media_type)
