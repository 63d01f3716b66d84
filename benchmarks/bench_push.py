"""Rows pushed over HTTP: signed batches of 1,000 rows, each one call to a real server, checked, mapped and stored.

Beside it the same work without HTTP and signature: the rows mapped and stored by the same functions.
"""

import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from benchmarks.installation import free_port
from server.api.app import create_app
from server.config import ServerConfig
from server.connectors.mapping import map_rows
from server.connectors.push.signature import sign
from server.services.sent import Sender, store_sent
from server.services.sources import load_source, put_source
from server.store import migrate
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import system_clocks

NAME = "push"
BATCHES, ROWS = 30, 1_000
SECRET = "bench-secret"  # noqa: S105  (of this bench alone)
FILE = """
source: {name}
kind: webhook
limits: {{requests_per_minute: 10000}}
push: {{secrets: ["${{env:BENCH_PUSH_SECRET}}"]}}
streams:
  - fact: ticket
    key: id
    map:
      created_at: {{path: created, as: datetime}}
      status: {{path: state, values: {{open: open, done: solved}}}}
      employee_key: agent
      first_reply_seconds: {{path: reply_s, as: int}}
"""


def run() -> list[Figure]:
    """Rows a second, for each database there is."""
    os.environ["BENCH_PUSH_SECRET"] = SECRET
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        found += _figures("SQLite", f"sqlite:///{folder}/muster.db")
    with postgres_url() as url:
        found += _figures("PostgreSQL", url) if url else []
    return found


def _figures(label: str, url: str) -> list[Figure]:
    migrate.upgrade(url)
    bare = asyncio.run(_stored(url))
    pushed = asyncio.run(_pushed(url))
    return [
        figure(f"rows pushed, {label}", pushed, "rows/s", better="higher", limit_name="mapped and stored", limit=bare)
    ]


def _rows(batch: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"{batch}-{number}",
            "created": "2026-05-04T08:00:00Z",
            "state": ("open", "done")[number % 2],
            "agent": f"u{number % 50}",
            "reply_s": number,
        }
        for number in range(ROWS)
    ]


async def _stored(url: str) -> float:
    """Rows a second without HTTP."""
    db = Database(url)
    await _add(db, "bare")
    start = time.perf_counter()
    for batch in range(BATCHES):
        async with db.writing() as connection:
            row, source = await load_source(connection, "bare")
            rows, [stream] = _rows(batch), source.streams
            mapped = list(map_rows(source, stream, rows))
            await store_sent(connection, Sender(row, source, "push", 1), stream, rows, mapped)
    seconds = time.perf_counter() - start
    await db.close()
    return BATCHES * ROWS / seconds


async def _pushed(url: str) -> float:
    """Rows a second over HTTP, one call after the other."""
    db = Database(url)
    await _add(db, "pushed")
    bodies = [json.dumps({"batch_id": str(batch), "rows": _rows(batch)}).encode() for batch in range(BATCHES)]
    with _served(url) as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            start = time.perf_counter()
            for number, body in enumerate(bodies):
                at, nonce = str(int(time.time())), f"nonce-{number:06}"
                stamp = {"X-Timestamp": at, "X-Nonce": nonce, "X-Signature": sign(SECRET, at, nonce, body)}
                answer = await client.post("/api/v1/ingest/pushed/ticket", content=body, headers=stamp)
                if answer.status_code != 202 or answer.json()["accepted"] != ROWS:
                    raise RuntimeError(answer.text)
            seconds = time.perf_counter() - start
    await db.close()
    return BATCHES * ROWS / seconds


async def _add(db: Database, name: str) -> None:
    await put_source(db, FILE.format(name=name), f"{name}.yaml", Entry(1, "bench", "source.put", name))


@contextmanager
def _served(url: str) -> Iterator[str]:
    port = free_port()
    app = create_app(Database(url), ServerConfig(), system_clocks())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
