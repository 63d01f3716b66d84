"""One way of scoring the lake, alone in a process: its memory is its own.

Prints one line of JSON: seconds, peak RSS in MB, and a digest of what was counted.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import scoring_peers
from benchmarks.installation import memory_mib
from benchmarks.scoring_world import MONTHS, indicators
from server.scoring.family import parts_of
from server.scoring.part import Part, ReadPart, read_part
from server.scoring.plain import When
from server.store import counting
from server.store.counted_facts import shapes
from server.store.counting_executor import Found
from server.store.lake_counting import OnLake
from server.store.lake_files import OnFiles
from server.store.lake_spark import OnSpark
from server.store.lake_writing import duckdb_of

PEERS = {"duckdb": scoring_peers.by_hand, "pandas": scoring_peers.with_pandas, "bare": scoring_peers.bare}
OURS = {
    "all": MONTHS,
    "some": MONTHS,
    "month": MONTHS[5:6],
    "spark": MONTHS,
    "half-0": MONTHS[:6],
    "half-1": MONTHS[6:],
}
"""Months of each way: ``some`` counts what the peers count, a half has one thread, all others two."""


def main(way: str, folder: Path) -> None:
    """Measure one of ``OURS`` or ``PEERS``; imports, definitions and an engine's start are not counted."""
    duckdb_of()
    if way in PEERS:
        seconds, found = PEERS[way](folder)
    else:
        parts = dict.fromkeys(part for one in indicators() for part in parts_of(one))
        chosen = [part for _, part in scoring_peers.parts_by_name()] if way == "some" else list(parts)
        read = [read_part(part, shapes()) for part in chosen]
        names = {part: name for name, part in scoring_peers.parts_by_name()}
        lake = OnSpark(folder) if way == "spark" else OnLake(folder, threads=1 if way.startswith("half") else 2)
        start = time.perf_counter()
        found = asyncio.run(_count(lake, read, OURS[way], names))
        seconds = time.perf_counter() - start
    # ru_maxrss would tell the parent's peak, where that is higher: it outlives the start of another program.
    peak_mb = memory_mib(os.getpid(), "VmHWM")
    digest = hashlib.sha256(repr(sorted(found)).encode()).hexdigest()
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "digest": digest, "rows": len(found)}))


def alone(way: str, folder: Path) -> dict[str, Any]:
    """What a process of its own measures."""
    words = [sys.executable, "-m", "benchmarks.scoring_on_lake", way, str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return found


async def _count(
    lake: OnFiles, read: list[ReadPart], months: list[When], names: dict[Part, str]
) -> list[scoring_peers.Counted]:
    """Fact by fact, so that no more is held at once than one of them came to."""
    found = list[scoring_peers.Counted]()
    for fact in sorted({part.part.fact for part in read}):
        of_fact = [part for part in read if part.part.fact == fact]
        for when, counted in (await counting.count_each(lake, of_fact, "person", None, months)).items():
            found += _rows(counted, names, when)
    return found


def _rows(counted: Found, names: dict[Part, str], when: When) -> Iterator[scoring_peers.Counted]:
    month = f"{when.days.first:%Y-%m}"
    for part, by_unit in counted.items():
        if part in names:
            for unit, value in by_unit.items():
                yield names[part], month, unit, str(2 * value.total.numerator // value.total.denominator), value.rows


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
