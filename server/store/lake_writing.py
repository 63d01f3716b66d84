"""Writing the lake: months of facts as Parquet, sorted by person, from rows that are committed.

A month whose rows are as they were is left alone, so a late fact rewrites its own month and no other.
"""

import asyncio
import hashlib
import importlib.util
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import BigInteger, ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import default_catalogue
from server.scoring.family import parts_of
from server.scoring.formula import Kind, read_operand
from server.scoring.window import day_after_epoch
from server.store.counted_facts import CountedFact, stored_fact
from server.store.database import Database
from server.store.lake_register import (
    UNDATED,
    LakeFile,
    Range,
    Register,
    facts_in_lake,
    fields_of,
    read_register,
    save_register,
)
from server.store.process_lock import only_process
from server.store.sql_terms import DAY_MS, row_hash
from shared.errors import ConfigError

Progress: TypeAlias = Callable[[str, int], None]
"""Told the fact and how many of its rows were written since the last time."""
Digests: TypeAlias = Mapping[str, tuple[str, int]]
"""Digest and number of rows by month."""
A_PAGE = 10_000
_SQL_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "month": "VARCHAR",
    "flag": "BOOLEAN",
    "whole": "BIGINT",
    "thousandths": "BIGINT",
    "day": "BIGINT",
    "instant": "BIGINT",
}
_DATES: frozenset[Kind] = frozenset({"day", "instant", "month"})


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did."""

    months: int
    """Written anew."""
    rows: int
    removed: int
    """Months that have no rows any more."""
    files: int
    """All there are now."""
    size: int
    """Bytes of all files."""


async def write_lake(db: Database, folder: Path, progress: Progress = lambda _fact, _rows: None) -> Written:
    """Bring the lake up to what is committed; ConfigError while another process writes it."""
    duckdb_of()
    months = rows = removed = 0
    with only_process(folder / "lock", "the lake is being written"):
        for fact in facts_in_lake():
            register = await asyncio.to_thread(read_register, folder)
            async with db.reading() as connection:
                known = register.of(fact)
                digests = await _digests(connection, fact)
                stale = {month for month, (digest, _) in digests.items() if _digest_of(known, month) != digest}
                gone = known.keys() - digests.keys()
                if not stale and not gone:
                    continue
                new = await _write(connection, fact, folder, {month: digests[month] for month in stale}, progress)
            kept = [file for file in register.files if file.fact != fact or file.month not in stale | gone]
            await asyncio.to_thread(save_register, folder, Register((*kept, *new)))
            months, rows, removed = months + len(stale), rows + sum(file.rows for file in new), removed + len(gone)
    files = (await asyncio.to_thread(read_register, folder)).files
    return Written(months, rows, removed, len(files), sum(file.size for file in files))


def has_duckdb() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("duckdb") is not None


def duckdb_of() -> Any:
    """The package; ConfigError without it."""
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError("the lake needs DuckDB: pip install 'muster[server,lake]'") from error
    return duckdb


def sql_type(kind: Kind) -> str:
    """What a field is in a file."""
    return _SQL_TYPES[kind]


def _digest_of(known: Mapping[str, LakeFile], month: str) -> str | None:
    return known[month].digest if month in known else None


# --- what there is --------------------------------------------------------------------------------------------------


@cache
def home_of(fact: str) -> tuple[str, ...]:
    """Dates that decide in which month a row is kept, the first that is set; those by which it is counted lead.

    Only the layout depends on it: what a file holds of every date is written down beside it.
    """
    shape = stored_fact(fact).shape
    parts = (
        part for one in default_catalogue().indicators for part in parts_of(one) if part.fact == fact and part.date
    )
    counted = [name for part in parts for name in fields_of(read_operand(part.date or "", shape).operand)]
    names = [name for name in dict.fromkeys((*counted, "occurred_at")) if name in shape]
    months = [name for name in names if shape[name] == "month"]
    return tuple(months[:1] or names)


def _home(fact: str, stored: CountedFact) -> ColumnElement[Any]:
    """A month as text, or a day as a number."""
    names = home_of(fact)
    if [stored.shape[name] for name in names] == ["month"]:
        return stored.fields[names[0]]
    days = [
        stored.fields[name] // literal(DAY_MS, BigInteger) if stored.shape[name] == "instant" else stored.fields[name]
        for name in names
    ]
    return func.coalesce(*days) if len(days) > 1 else days[0]


def _month(home: str | int | None) -> str:
    if home is None:
        return UNDATED
    return home if isinstance(home, str) else f"{day_after_epoch(int(home)):%Y-%m}"


async def _digests(connection: AsyncConnection, fact: str) -> Digests:
    stored = stored_fact(fact)
    home = _home(fact, stored).label("home")
    hashed = func.sum(row_hash(*stored.fields.values())).label("hashed")
    found: dict[str, tuple[int, int]] = {}
    for row in await connection.execute(select(home, func.count().label("rows"), hashed).group_by(home)):
        total, rows = found.get(_month(row.home), (0, 0))
        found[_month(row.home)] = total + int(row.hashed), rows + row.rows
    return {month: (_digest(stored, total, rows), rows) for month, (total, rows) in found.items()}


def _digest(stored: CountedFact, total: int, rows: int) -> str:
    told = repr((sorted(stored.shape.items()), total, rows))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


# --- files ----------------------------------------------------------------------------------------------------------


async def _write(
    connection: AsyncConnection, fact: str, folder: Path, digests: Digests, progress: Progress
) -> list[LakeFile]:
    """New files of these months; nothing names them yet."""
    (folder / fact).mkdir(parents=True, exist_ok=True)
    if not digests:
        return []
    with tempfile.TemporaryDirectory(dir=folder, prefix="writing-") as name, ExitStack() as stack:
        lines = {month: stack.enter_context((Path(name) / f"{month}.json").open("wb")) for month in digests}
        async for month, line in _lines(connection, fact, lines.keys(), progress):
            lines[month].write(line)
        for file in lines.values():
            file.flush()
        return await asyncio.to_thread(_sorted_files, fact, folder, Path(name), digests)


async def _lines(connection: AsyncConnection, fact: str, months: Collection[str], progress: Progress) -> Any:
    """Rows of these months, each as a line of JSON: whole numbers and texts, nothing is rounded."""
    stored = stored_fact(fact)
    flags = {name for name, kind in stored.shape.items() if kind == "flag"}
    home = _home(fact, stored).label("home")
    columns = [column.label(f"f_{name}") for name, column in stored.fields.items()]
    encode = msgspec.json.Encoder().encode
    async with connection.stream(select(home, *columns)) as rows:
        async for page in rows.partitions(A_PAGE):
            written = 0
            for row in page:
                month = _month(row[0])
                if month in months:
                    told = {
                        name: bool(value) if name in flags else value
                        for name, value in zip(stored.fields, row[1:], strict=True)
                        if value is not None
                    }
                    yield month, encode(told) + b"\n"
                    written += 1
            progress(fact, written)


def _sorted_files(fact: str, folder: Path, lines: Path, digests: Digests) -> list[LakeFile]:
    shape = stored_fact(fact).shape
    columns = ", ".join(f"'{name}': '{sql_type(kind)}'" for name, kind in shape.items())
    found = []
    with duckdb_of().connect(config={"memory_limit": "512MB", "temp_directory": str(lines)}) as duck:
        for month, (digest, rows) in sorted(digests.items()):
            told = LakeFile(fact, month, digest, rows, 0, {})
            path = told.path(folder)
            source = f"read_json('{lines / month}.json', format = 'newline_delimited', columns = {{{columns}}})"
            duck.execute(
                f"COPY (SELECT * FROM {source} ORDER BY employee, source, source_key) TO '{path}' "  # noqa: S608
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            ranges = dict(_ranges(duck, path, shape))
            found.append(msgspec.structs.replace(told, size=path.stat().st_size, ranges=ranges))
    return found


def _ranges(duck: Any, path: Path, shape: Mapping[str, Kind]) -> Iterator[tuple[str, Range]]:
    names = [name for name, kind in shape.items() if kind in _DATES]
    if not names:
        return
    edges = ", ".join(f'min("{name}"), max("{name}")' for name in names)
    row = duck.execute(f"SELECT {edges} FROM read_parquet('{path}')").fetchone()  # noqa: S608
    for place, name in enumerate(names):
        first, last = row[2 * place : 2 * place + 2]
        yield name, None if first is None else (first, last)
