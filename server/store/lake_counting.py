"""Counting on the lake with DuckDB, over the files that a window needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect

from server.scoring.formula import Shape
from server.store.lake_files import OnFiles
from server.store.lake_writing import duckdb_of, sql_type

MEMORY_MB = 256
THREADS = 2


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


class OnLake(OnFiles):
    """With DuckDB, within so much memory."""

    ranks = True

    def __init__(self, folder: Path, *, memory_mb: int = MEMORY_MB, threads: int = THREADS) -> None:
        super().__init__(folder)
        settings: dict[str, Any] = {"memory_limit": f"{memory_mb}MB", "temp_directory": str(folder / "spilled")}
        settings |= {"threads": threads, "preserve_insertion_order": False}
        self._duck = duckdb_of().connect(config=settings)
        self._duck.execute("SET parquet_metadata_cache = true")  # files never change

    def close(self) -> None:
        """Give the memory back."""
        self._duck.close()

    def _take(self, name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        told = ", ".join(f"{column} VARCHAR" for column in columns)
        self._duck.execute(f"CREATE OR REPLACE TABLE {name} ({told})")
        if rows:
            marks = ", ".join("?" for _ in columns)
            self._duck.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608

    def _show(self, name: str, shape: Shape, paths: Sequence[str]) -> None:
        none = ", ".join(f'NULL::{sql_type(kind)} AS "{field}"' for field, kind in shape.items())
        rows = f"SELECT * FROM read_parquet({paths})" if paths else f"SELECT {none} WHERE false"  # noqa: S608
        self._duck.execute(f"CREATE VIEW {name} AS {rows}")

    def _run(self, statement: Select[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._duck.execute(duck_sql(statement))
        return [column[0] for column in found.description], found.fetchall()
