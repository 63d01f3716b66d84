"""Log of 100,000 records decoded by our codec, beside pyzk's own parsing of the same bytes in the same run.

CPU time: neither waits for anything.
"""

import random
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from benchmarks.figure import Figure, figure
from gateway.drivers.zk4370.codec import LogRow, decode_log, split_table

NAME = "zk decode"
RECORDS = 100_000
PEOPLE = 500
RUNS = 5
Row = tuple[str, datetime, int, int]


def run() -> list[Figure]:
    """Records a second for the layout of most terminals (40 bytes); ours is the median run, pyzk has one run."""
    block = _block()
    theirs_s, theirs = _pyzk(block)
    ours_s, ours = _codec(block)
    assert _comparable(ours) == theirs, "the two decoders disagree"
    return [
        figure(
            NAME,
            RECORDS / ours_s,
            "records/s",
            better="higher",
            limit_name="pyzk get_attendance",
            limit=RECORDS / theirs_s,
            ratio_target=20,
        )
    ]


def _block() -> bytes:
    """A log as a terminal sends it: total size, then records of half a year, oldest first."""
    draw = random.Random(4370)
    rows = []
    for number in range(RECORDS):
        days, second = (
            26 * 372 + number * 180 // RECORDS // 28 * 31 + number * 180 // RECORDS % 28,
            draw.randrange(86400),
        )
        user = str(100_000 + draw.randrange(PEOPLE)).encode()
        rows.append(
            struct.pack(
                "<H24sBIB8s",
                1,
                user,
                draw.choice((0, 1, 2, 15)),
                days * 86400 + second,
                draw.randrange(6),
                b"\0\0\0\0\xff",
            )
        )
    return struct.pack("<I", RECORDS * 40) + b"".join(rows)


def _codec(block: bytes) -> tuple[float, list[LogRow]]:
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        rows = decode_log(split_table(block), 40)
        times.append(time.process_time() - start)
    return sorted(times)[RUNS // 2], [row for row in rows if isinstance(row, LogRow)]


def _pyzk(block: bytes) -> tuple[float, list[Row]]:
    with _offline_client(block) as client:
        start = time.process_time()
        rows = client.get_attendance()
        took_s = time.process_time() - start
    return took_s, [(row.user_id, row.timestamp, row.status, row.punch) for row in rows]


@contextmanager
def _offline_client(block: bytes) -> Iterator[Any]:
    """A pyzk client whose terminal has answered already: only its parsing is left."""
    from zk import ZK

    client = ZK("127.0.0.1")
    client.read_sizes = lambda: None
    client.get_users = list
    client.read_with_buffer = lambda _command: (block, len(block))
    client.records = RECORDS
    yield client
    vars(client)["_ZK__sock"].close()


def _comparable(rows: list[LogRow]) -> list[Row]:
    return [(r.user, datetime.fromtimestamp(r.at, UTC).replace(tzinfo=None), r.verify, r.state) for r in rows]
