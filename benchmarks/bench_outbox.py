"""The outbox: durable accept beside raw sqlite3, one punch, a backlog read, and memory with a million rows."""

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure, figure
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig
from shared.clock import system_clocks
from shared.keys import digest
from shared.punch import Direction, Method, Punch
from shared.wire import encode_event

NAME = "outbox"
EVENTS = 60_000
ROUNDS = 3
"""Ours and raw in turn; the best of each counts, so that a busy moment of the machine does not decide."""
LANES, PER_PUT = 4, 250
SINGLE = 1000
MILLION = 1_000_000
TERMINALS = 20
START_S = 1_795_608_000


def run() -> list[Figure]:
    """Accept, latency and reading in one folder on the real disk; memory in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        rounds = [
            (asyncio.run(_measure(Path(folder, f"data-{n}"))), _raw_rows_per_s(Path(folder, f"raw-{n}.db")))
            for n in range(ROUNDS)
        ]
        accept, read_rate = max(ours[0] for ours, _ in rounds), max(ours[1] for ours, _ in rounds)
        p99_ms, limit = min(ours[2] for ours, _ in rounds), max(raw for _, raw in rounds)
        memory = _memory_with_a_million(Path(folder, "million"))
    return [
        figure(
            "outbox accept, durable",
            accept,
            "ev/s",
            better="higher",
            target=40_000,
            limit_name="raw sqlite3, 1,000 rows/txn",
            limit=limit,
            ratio_target=0.4,
        ),
        figure("one punch, p99", p99_ms, "ms", better="lower", target=50),
        figure("outbox backlog read", read_rate, "ev/s", better="higher", target=40_000),
        figure("outbox start, 1 M backlog", memory["start_s"], "s", better="lower"),
        figure("RSS of an outbox at most, 1 M backlog", memory["rss_mib"], "MiB", better="lower", target=64),
    ]


def punches(first: int, count: int) -> list[Punch]:
    """Punches as twenty terminals send them, a minute of each apart."""
    luck = random.Random(first)
    return [
        Punch(
            f"CKJG2012{n % TERMINALS:05d}",
            str(luck.randint(1000, 5999)),
            START_S + n,
            28_800,
            (START_S + n - 28_800) * 1000,
            luck.choice((Direction.IN, Direction.OUT)),
            luck.choice((Method.FACE, Method.FINGER)),
            (luck.choice((1, 15)), luck.choice((0, 1))),
            n,
            luck.randint(-900, 900),
            n,
        )
        for n in range(first, first + count)
    ]


async def _measure(folder: Path) -> tuple[float, float, float]:
    """Events accepted per second, rows read per second, milliseconds of the slowest hundredth of single punches."""
    outbox = Outbox.open(folder, BufferConfig(), system_clocks())
    events = punches(0, EVENTS)

    async def feed(lane: int) -> None:
        for at in range(lane * PER_PUT, EVENTS, LANES * PER_PUT):
            await outbox.put(events[at : at + PER_PUT])

    start = time.perf_counter()
    await asyncio.gather(*map(feed, range(LANES)))
    accept = EVENTS / (time.perf_counter() - start)

    (held,) = await outbox.streams()
    start, at = time.perf_counter(), held.first
    while at <= held.last:
        at = (await outbox.read(held.stream, at, held.last))[-1].seq + 1
    read_rate = EVENTS / (time.perf_counter() - start)

    took: list[float] = []
    for punch in punches(EVENTS, SINGLE):
        start = time.perf_counter()
        await outbox.put([punch])
        took.append(time.perf_counter() - start)
    await outbox.close()
    return accept, read_rate, sorted(took)[SINGLE * 99 // 100] * 1000


def _raw_rows_per_s(path: Path) -> float:
    """What sqlite3 alone does with the same bytes, a unique id and the same durability, 1,000 rows a transaction."""
    bodies = [encode_event(punch) for punch in punches(0, 1000)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table rows (seq integer primary key, id blob not null unique, body blob not null)")
    start = time.perf_counter()
    for first in range(0, EVENTS, 1000):
        rows = [(first + n, (first + n).to_bytes(16, "big"), body) for n, body in enumerate(bodies)]
        connection.execute("begin immediate")
        connection.executemany("insert into rows values (?, ?, ?)", rows)
        connection.execute("commit")
    took = time.perf_counter() - start
    connection.close()
    return EVENTS / took


def _memory_with_a_million(folder: Path) -> dict[str, float]:
    """A million rows put into the tables directly; then a fresh process opens them, reads some and takes more."""

    async def prepare() -> None:
        await Outbox.open(folder, BufferConfig(), system_clocks()).close()

    asyncio.run(prepare())
    connection = sqlite3.connect(folder / "outbox.db", isolation_level=None)
    connection.execute("pragma synchronous=off")
    said = b"\x92\xc4\x10" + bytes(16) + b"\x93\x00\x00\xc2"
    connection.execute("insert into streams values (1, ?, ?)", (said, digest(said)))
    bodies = [encode_event(punch) for punch in punches(0, 10_000)]
    for first in range(1, MILLION + 1, 10_000):
        connection.execute("begin")
        connection.executemany(
            "insert into rows values (?, ?, ?)",
            [((1 << 40) + n, body, digest(body)) for n, body in enumerate(bodies, first)],
        )
        connection.execute("commit")
    connection.close()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_outbox", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": "."},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _open_a_million(folder: Path) -> dict[str, float]:
    start = time.perf_counter()
    outbox = Outbox.open(folder, BufferConfig(), system_clocks())
    await outbox.put(punches(2 * MILLION, 1))
    start_s = time.perf_counter() - start
    (held, _) = await outbox.streams()
    assert held.last - held.first + 1 == MILLION
    at = held.first
    for _ in range(200):
        run_ = await outbox.read(held.stream, at, held.last)
        at = run_[-1].seq + 1
        await outbox.mark_acked([(held.stream, [(held.first, at - 1)])])
        await outbox.put(punches(2 * MILLION + at, 20))
    await outbox.close()
    return {"start_s": start_s, "rss_mib": _peak_kib() / 1024}


def _peak_kib() -> int:
    """This process's highest RSS; getrusage would give the parent's, from before exec."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_open_a_million(Path(sys.argv[1])))))
