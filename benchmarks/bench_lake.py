"""Scoring a year of ten million facts on the lake, beside SQL by hand, pandas, bare counts and, if it is there, Spark.

A million facts come out of PostgreSQL as the server writes them; their files are then copied ten times, or as often as
MUSTER_BENCH_COPIES says, with keys of their own, since a database of that size takes an hour to fill.
"""

import asyncio
import os
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec

from benchmarks.bench_attendance import postgres_url
from benchmarks.figure import Figure, figure
from benchmarks.scoring_on_lake import alone
from benchmarks.scoring_world import indicators, prepare
from server.scoring.family import parts_of
from server.scoring.formula import read_operand
from server.store import migrate
from server.store.counted_facts import shapes
from server.store.database import Database
from server.store.lake_register import LakeFile, Register, fields_of, read_register, save_register
from server.store.lake_writing import duckdb_of, write_lake
from shared.errors import MusterError

NAME = "lake"
FACTS = 1_000_000
COPIES = int(os.environ.get("MUSTER_BENCH_COPIES", "10"))


def run() -> list[Figure]:
    """Figures of the grown lake; none without PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="muster-lake-") as name, postgres_url() as url:
        if url is None:
            return []
        folder, grown = Path(name, "lake"), Path(name, "grown")
        asyncio.run(_written(url, folder))
        facts = grow(folder, grown, COPIES)
        ways = ["all", "bare", "some", "duckdb", "pandas", *(["spark"] if find_spec("pyspark") else [])]
        found = {way: alone(way, grown) for way in ways}
    if not found["some"]["digest"] == found["duckdb"]["digest"] == found["pandas"]["digest"]:
        raise MusterError(f"ours and the peers came to different counts: {found}")
    label = f"{facts / 1e6:.3g} M facts x {len(indicators())} x 12 months"
    seconds = {way: one["seconds"] for way, one in found.items()}
    lower = partial(figure, unit="s", better="lower")
    return [
        lower(label, seconds["all"], limit_name="bare counts", limit=seconds["bare"]),
        figure("  peak RSS of that process", found["all"]["peak_mb"], "MB", better="lower", target=300),
        *(
            [lower("  the same, Spark", seconds["spark"], limit_name="DuckDB", limit=seconds["all"])]
            if "spark" in seconds
            else []
        ),
        lower("  five counts", seconds["some"], limit_name="SQL by hand", limit=seconds["duckdb"], ratio_target=1.5),
        lower("  the same beside pandas", seconds["some"], limit_name="pandas, in memory", limit=seconds["pandas"]),
    ]


async def _written(url: str, folder: Path) -> None:
    await asyncio.to_thread(migrate.upgrade, url)
    db = Database(url)
    await prepare(db, FACTS)
    await write_lake(db, folder)
    await db.close()


def grow(folder: Path, grown: Path, copies: int) -> int:
    """A lake with so many copies of every row, which are smaller than rows of their own; its facts."""
    files: list[LakeFile] = []
    with duckdb_of().connect(config={"memory_limit": "1GB"}) as duck:
        for file in read_register(folder).files:
            (grown / file.fact).mkdir(parents=True, exist_ok=True)
            keys = ", ".join(f'"{name}" || \'~\' || copy AS "{name}"' for name in sorted(_keys(file.fact)))
            duck.execute(
                f"COPY (SELECT rows.* REPLACE ({keys}) FROM read_parquet('{file.path(folder)}') AS rows, "  # noqa: S608
                f"range({copies}) AS copies(copy) ORDER BY employee, source, source_key) "
                f"TO '{file.path(grown)}' (FORMAT parquet, COMPRESSION zstd)"
            )
            size = file.path(grown).stat().st_size
            files.append(msgspec.structs.replace(file, rows=copies * file.rows, size=size))
    save_register(grown, Register(tuple(files)))
    return sum(file.rows for file in files)


def _keys(fact: str) -> set[str]:
    """Texts by which rows are told apart."""
    shape = shapes()[fact]
    parts = [part for one in indicators() for part in parts_of(one) if part.fact == fact]
    fields = {name for part in parts for key in part.distinct for name in fields_of(read_operand(key, shape).operand)}
    return {"source_key"} | {name for name in fields - {"source"} if shape[name] == "text"}
