"""One way of scoring the lake, alone in a process: its memory is its own.

Prints one line of JSON: seconds, peak RSS in MB, and a digest of what was counted.
"""

import asyncio
import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import scoring_peers
from benchmarks.scoring_world import MONTHS, indicators
from server.scoring.family import parts_of
from server.scoring.part import Part, read_part
from server.scoring.plain import When
from server.store import counting
from server.store.counted_facts import shapes
from server.store.lake_counting import OnLake
from server.store.lake_writing import duckdb_of


def main(way: str, folder: Path) -> None:
    """Measure ``all`` (every indicator, every month), ``month``, ``some``, or a peer of ``some``; fact by fact."""
    duckdb_of()  # imported for none of them in its time
    peers = {"duckdb": scoring_peers.by_hand, "pandas": scoring_peers.with_pandas}
    if way in peers:
        seconds, found = peers[way](folder)
    else:
        parts = dict.fromkeys(part for one in indicators() for part in parts_of(one))
        chosen = [part for _, part in scoring_peers.parts_by_name()] if way == "some" else list(parts)
        months = MONTHS[5:6] if way == "month" else MONTHS
        start = time.perf_counter()
        found = asyncio.run(_count(folder, chosen, months))
        seconds = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    digest = hashlib.sha256(repr(sorted(found)).encode()).hexdigest()
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "digest": digest, "rows": len(found)}))


async def _count(folder: Path, chosen: list[Part], months: list[When]) -> list[scoring_peers.Counted]:
    read = [read_part(part, shapes()) for part in chosen]
    names = {part: name for name, part in scoring_peers.parts_by_name()}
    lake, found = OnLake(folder), list[scoring_peers.Counted]()
    for fact in sorted({part.part.fact for part in read}):
        of_fact = [part for part in read if part.part.fact == fact]
        for when, counted in (await counting.count_each(lake, of_fact, "person", None, months)).items():
            found += _rows(counted, names, when)
    lake.close()
    return found


def _rows(counted: counting.Found, names: dict[Part, str], when: When) -> Iterator[scoring_peers.Counted]:
    for part, by_unit in counted.items():
        if part in names:
            for unit, value in by_unit.items():
                yield names[part], f"{when.days.first:%Y-%m}", unit, str(2 * value.total), value.rows


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
