"""A live punch: from the push of a terminal until its row is in ``punches``, link up, everything running."""

import asyncio
import http.client
import random
import time
from datetime import UTC, datetime

import asyncpg

from benchmarks.figure import Figure, figure
from benchmarks.installation import FIRST_S, HOST, SERIAL, Bench, installation, wait_until

NAME = "live"
PUNCHES = 200
WARM_UP = 10


def run() -> list[Figure]:
    """The 99th of 100 punches, and the median."""
    with installation() as bench, bench.server(), bench.gateway():
        times = asyncio.run(_times(bench))
    ordered = sorted(times[WARM_UP:])
    p99, median = ordered[len(ordered) * 99 // 100], ordered[len(ordered) // 2]
    return [figure("live punch to row, p99", p99, "ms", better="lower", target=250, limit_name="median", limit=median)]


async def _times(bench: Bench) -> list[float]:
    connection = await asyncpg.connect(bench.database_url)
    pause = random.Random(7)
    times: list[float] = []
    await asyncio.to_thread(wait_until, lambda: _push(bench.push_port, 0), 30, "a punch is taken")
    for number in range(1, PUNCHES + WARM_UP + 1):
        begin = time.perf_counter()
        if not await asyncio.to_thread(_push, bench.push_port, number):
            raise RuntimeError("the gateway did not take a punch")
        while not await connection.fetchval("SELECT 1 FROM punches WHERE user_code = $1", str(number)):
            if time.perf_counter() - begin > 20:
                raise TimeoutError(f"punch {number} is no row")
            await asyncio.sleep(0.002)
        times.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(pause.uniform(0, 0.15))
    await connection.close()
    return times


def _push(port: int, number: int) -> bool:
    at = datetime.fromtimestamp(FIRST_S + number, UTC)
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        row = f"{number}\t{at:%Y-%m-%d %H:%M:%S}\t0\t1\n"
        connection.request("POST", f"/iclock/cdata?SN={SERIAL}&table=ATTLOG&Stamp=1", row)
        return connection.getresponse().read().startswith(b"OK")
    except OSError:
        return False
    finally:
        connection.close()
