"""A backlog on its way from a gateway's outbox into PostgreSQL, through Mosquitto, watched from outside."""

import asyncio
import time
from dataclasses import dataclass

import asyncpg

from benchmarks.installation import Bench, memory_mib

LIMIT_S = 150
STORED = "SELECT coalesce(sum(upto), 0)::bigint FROM streams"


@dataclass(frozen=True, slots=True)
class Drained:
    """How long it took from the first commit that was seen, and what it cost."""

    events: int
    seconds: float
    gateway_growth_mib: float
    server_growth_mib: float


def drain(bench: Bench, events: int) -> Drained:
    """Start server and gateway and return when all is committed, acked and counted."""
    with bench.server("--role", "ingest") as server, bench.gateway() as gateway:
        drained = asyncio.run(_watch(bench, events, server, gateway))
    if left := bench.backlog():
        raise RuntimeError(f"{left} of {events} are committed and were not acked")
    return drained


async def _watch(bench: Bench, events: int, server: int, gateway: int) -> Drained:
    connection = await asyncpg.connect(bench.database_url)
    begin, first, before = time.perf_counter(), 0, (0.0, 0.0)
    deadline = begin + LIMIT_S
    stored = 0
    while stored < events:
        stored = await connection.fetchval(STORED)
        now = time.perf_counter()
        if stored and not first:
            begin, first = now, stored
        if stored > events // 20 and not before[0]:  # libraries are loaded, buffers have their size
            before = (memory_mib(gateway), memory_mib(server))
        if now > deadline:
            raise TimeoutError(f"{stored} of {events} stored within {LIMIT_S} s")
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - begin
    counted = await connection.fetchval("SELECT count(*) FROM events")
    await connection.close()
    if counted != events:
        raise RuntimeError(f"{counted} events are stored, {events} were sent")
    after = (memory_mib(gateway, "VmHWM"), memory_mib(server, "VmHWM"))
    await asyncio.sleep(1)  # the last acks reach the gateway
    return Drained(events - first, seconds, after[0] - before[0], after[1] - before[1])
