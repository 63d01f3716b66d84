"""Counting on the lake: the statements of ``counting`` on DuckDB, over the files that a window needs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Select, Table, Text, select
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from server.scoring.formula import Kind
from server.scoring.part import ReadPart
from server.scoring.plain import When
from server.store.counted_facts import CountedFact, for_period, stored_fact
from server.store.lake_register import LakeFile, files_for, read_register
from server.store.lake_writing import duckdb_of, sql_type
from server.store.tables import departments, employees, sites

MEMORY_MB = 256
THREADS = 2
_TYPES: Mapping[Kind, type[TypeEngine[Any]]] = {"text": Text, "month": Text, "flag": Boolean}
_UNITS = {employees: ("id", "department"), departments: ("id", "parent"), sites: ("id",)}
"""What has to be known of people and places."""


class _DuckCompiler(PGCompiler):
    """DuckDB speaks PostgreSQL's dialect, but ``/`` never gives whole numbers."""

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:  # noqa: ARG002
        return f"{self.process(binary.left, **kw)} // {self.process(binary.right, **kw)}"


class _Duck(PGDialect):
    name = "duckdb"
    statement_compiler = _DuckCompiler
    supports_statement_cache = False
    _backslash_escapes = False


_DIALECT = _Duck(paramstyle="named")  # type: ignore[no-untyped-call]


def duck_sql(statement: Select[Any]) -> str:
    """The statement as DuckDB reads it, values included."""
    return str(statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


class OnLake:
    """The lake as it was when this was opened; one statement at a time, within so much memory."""

    def __init__(self, folder: Path, *, memory_mb: int = MEMORY_MB, threads: int = THREADS) -> None:
        self._folder = folder
        self._register = read_register(folder)
        self._stored: dict[tuple[str, tuple[str, ...]], CountedFact] = {}
        self._facts: dict[tuple[object, ...], CountedFact] = {}
        settings: dict[str, Any] = {"memory_limit": f"{memory_mb}MB", "temp_directory": str(folder / "spilled")}
        settings |= {"threads": threads, "preserve_insertion_order": False}
        self._duck = duckdb_of().connect(config=settings)
        self._duck.execute("SET parquet_metadata_cache = true")  # files never change

    def close(self) -> None:
        """Give the memory back."""
        self._duck.close()

    async def know_units(self, connection: AsyncConnection) -> None:
        """Take over from the database who works in which department, and what is above it."""
        for table, names in _UNITS.items():
            rows = [tuple(row) for row in await connection.execute(select(*(table.c[name] for name in names)))]
            columns = ", ".join(f"{name} VARCHAR" for name in names)
            self._duck.execute(f"CREATE OR REPLACE TABLE {table.name} ({columns})")
            if rows:
                marks = ", ".join("?" for _ in names)
                self._duck.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608

    def fact(self, part: ReadPart, when: When) -> CountedFact:
        """Of those files that may hold rows in the window."""
        name = part.part.fact
        files = files_for(self._register.of(name).values(), part, when)
        key = name, tuple(file.month for file in files)
        if key not in self._stored:
            self._stored[key] = self._opened(name, files)
        terms = when.days.months, when.zone, when.days.last.year
        return self._facts.setdefault((*key, *terms), for_period(name, self._stored[key], *terms))

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """What DuckDB gives."""
        names, rows = await asyncio.to_thread(self._run, duck_sql(statement))
        return IteratorResult(SimpleResultMetaData(names), iter(rows)).all()

    def _run(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._duck.execute(sql)
        return [column[0] for column in found.description], found.fetchall()

    def _opened(self, fact: str, files: Iterable[LakeFile]) -> CountedFact:
        shape = stored_fact(fact).shape
        name = f"lake_{fact}_{len(self._stored)}"
        paths = [str(file.path(self._folder)) for file in files]
        none = ", ".join(f'NULL::{sql_type(kind)} AS "{field}"' for field, kind in shape.items())
        rows = f"SELECT * FROM read_parquet({paths})" if paths else f"SELECT {none} WHERE false"  # noqa: S608
        self._duck.execute(f"CREATE VIEW {name} AS {rows}")
        columns = [Column(field, _TYPES.get(kind, BigInteger)) for field, kind in shape.items()]
        table = Table(name, MetaData(), *columns)
        return CountedFact(table, dict(table.c.items()), shape, {})
