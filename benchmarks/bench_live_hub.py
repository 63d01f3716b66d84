"""What a viewer of live frames costs the server: processor time for each frame, memory while the stream is open.

A server of its own process follows a real database; 2,000 sockets of this process watch one day with 50 punches.
"""

import asyncio
import hashlib
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import uvicorn

from benchmarks.figure import Figure, figure
from server.api.app import create_app
from server.config import ServerConfig
from server.live.hub import Hub
from server.store import migrate, tables
from server.store.change_queries import note_changes
from server.store.database import Database
from shared.clock import system_clocks

NAME = "live_hub"
VIEWERS = 2000
FRAMES = 10
DAY_MS = 1_772_409_600_000  # 2026-03-02 00:00 UTC
TOPIC = "day:2026-03-02"
TOKEN = "a-token-of-the-bench"  # noqa: S105
REQUEST = f"GET /live?topics={TOPIC} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: __Host-muster={TOKEN}\r\n\r\n"


def run() -> list[Figure]:
    """Processor time and memory per viewer, against the budget of the design."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * VIEWERS)), hard))
    folder = Path(tempfile.mkdtemp(prefix="muster-bench-"))
    try:
        cpu_us, memory_kb = asyncio.run(_measure(f"sqlite:///{folder / 'muster.db'}"))
    finally:
        shutil.rmtree(folder)
    viewers = f"{VIEWERS} viewers"
    return [
        figure(f"live hub, one frame to each of {viewers}", cpu_us, "us CPU/viewer", better="lower", target=60),
        figure(f"live hub, open stream of {viewers}", memory_kb, "kB/viewer", better="lower", target=20),
    ]


async def _measure(url: str) -> tuple[float, float]:
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    await _seed(db)
    async with _server(url) as (process, port):
        await _watch(port, 20)  # what only the first viewers cost: imports, pools, caches
        before = process.memory_info().rss
        viewers = await _watch(port, VIEWERS)
        memory_kb = (process.memory_info().rss - before) / VIEWERS / 1000
        idle_us = await _cpu_us(process, 5)
        reading = [asyncio.create_task(_drain(viewer)) for viewer in viewers]
        started = process.cpu_times()
        for number in range(FRAMES):
            async with db.writing() as connection:
                await note_changes(connection, [TOPIC], DAY_MS + number)
            await asyncio.sleep(1.5)
        ended = process.cpu_times()
        for task in reading:
            task.cancel()
    await db.close()
    spent_us = (ended.user + ended.system - started.user - started.system) * 1e6 - idle_us * FRAMES * 1.5 / 5
    return spent_us / FRAMES / VIEWERS, memory_kb


async def _cpu_us(process: psutil.Process, seconds: float) -> float:
    started = process.cpu_times()
    await asyncio.sleep(seconds)
    ended = process.cpu_times()
    return (ended.user + ended.system - started.user - started.system) * 1e6


async def _watch(port: int, number: int) -> list[asyncio.StreamReader]:
    readers = []
    for _ in range(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST.encode())
        assert b" 200 " in await reader.readuntil(b"\r\n")
        await reader.readuntil(b"data: ")
        readers.append(reader)
        _open.append(writer)
    return readers


_open: list[asyncio.StreamWriter] = []
"""Or the garbage collector would close them."""


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


@asynccontextmanager
async def _server(url: str) -> AsyncIterator[tuple[psutil.Process, int]]:
    words = (sys.executable, "-m", "benchmarks.bench_live_hub", url)
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        port = json.loads(await child.stdout.readline())
        yield psutil.Process(child.pid), port
    finally:
        child.kill()
        await child.wait()


async def _seed(db: Database) -> None:
    async with db.writing() as connection:
        user = {"login": "hr", "name": "hr", "password_hash": "", "role": "hr", "departments": [], "disabled": False}
        await connection.execute(tables.users.insert().values(**user, created_ms=1))
        now_ms = system_clocks().wall_ms()
        sha256 = hashlib.sha256(TOKEN.encode()).digest()
        times = {"created_ms": now_ms, "seen_ms": now_ms}
        await connection.execute(tables.sessions.insert().values(token_sha256=sha256, user=1, ip="::1", **times))
        punch = {"terminal": "T1", "key_seq": -1, "direction": 1, "method": 1, "raw_codes": [], "flags": 0}
        punch |= {"gateway": "gw-0000000001", "received_ms": DAY_MS}
        rows = [
            punch | {"user_code": str(number), "at_device": number, "at_ms": DAY_MS + number, "true_ms": DAY_MS}
            for number in range(50)
        ]
        await connection.execute(tables.punches.insert(), rows)


async def _serve(url: str) -> None:
    db, clocks = Database(url), system_clocks()
    app = create_app(db, ServerConfig(), clocks, Hub(db, clocks))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, backlog=VIEWERS))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    asyncio.run(_serve(sys.argv[1]))
