"""Counting on the lake with Spark: the same statements on the same files, for companies with a cluster of their own."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Select, Table, Text, select
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import _CompoundSelectKeyword
from sqlalchemy.types import TypeEngine

from server.scoring.formula import Kind
from server.scoring.part import ReadPart
from server.scoring.plain import When
from server.store.counted_facts import CountedFact, for_period, stored_fact
from server.store.lake_register import LakeFile, files_for, read_register
from server.store.tables import departments, employees, sites
from shared.errors import ConfigError

_TYPES: Mapping[Kind, type[TypeEngine[Any]]] = {"text": Text, "month": Text, "flag": Boolean}
_SPARK_TYPES: Mapping[Kind, str] = {"text": "STRING", "month": "STRING", "flag": "BOOLEAN"}
_UNITS = {employees: ("id", "department"), departments: ("id", "parent"), sites: ("id",)}
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.ansi.enabled": "false",  # a name given to a column may be grouped by
}


class _SparkCompiler(PGCompiler):
    """Sums are decimals of 38 places, since 64 bits run over in silence; ``/`` never gives whole numbers.

    Only UNION ALL may go down a tree of departments, which gives the same, or an error where they go in a circle.
    """

    compound_keywords = {**PGCompiler.compound_keywords, _CompoundSelectKeyword.UNION: "UNION ALL"}  # noqa: RUF012

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:  # noqa: ARG002
        return f"({self.process(binary.left, **kw)} div {self.process(binary.right, **kw)})"

    def visit_sum_func(self, func: Any, **kw: Any) -> str:
        return f"sum(CAST({self.process(func.clause_expr.element, **kw)} AS DECIMAL(38, 0)))"

    def render_literal_value(self, value: Any, type_: Any) -> str:
        if isinstance(value, str):
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return super().render_literal_value(value, type_)  # type: ignore[no-any-return, no-untyped-call]


class _SparkTypes(PGTypeCompiler):
    def visit_TEXT(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802
        return "STRING"

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802
        return "STRING"


class _SparkNames(PGIdentifierPreparer):
    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, initial_quote="`")


class _Spark(PGDialect):
    name = "spark"
    statement_compiler = _SparkCompiler
    type_compiler_cls = _SparkTypes
    preparer = _SparkNames  # type: ignore[assignment]
    supports_statement_cache = False


_DIALECT = _Spark(paramstyle="named")  # type: ignore[no-untyped-call]


def spark_sql(statement: Select[Any]) -> str:
    """The statement as Spark reads it, values included."""
    return str(statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


class OnSpark:
    """The lake as it was when this was opened, counted by Spark; ``folder`` has to be where its workers see it."""

    def __init__(self, folder: Path, master: str = "local[2]") -> None:
        try:
            session = import_module("pyspark.sql").SparkSession  # too large to be there wherever types are checked
        except ImportError as error:
            raise ConfigError("Spark is not installed: pip install 'muster[server,lake,spark]'") from error
        self._folder = folder
        self._register = read_register(folder)
        self._stored: dict[tuple[str, tuple[str, ...]], CountedFact] = {}
        self._facts: dict[tuple[object, ...], CountedFact] = {}
        builder = session.builder.master(master).appName("muster")
        for name, value in _SETTINGS.items():
            builder = builder.config(name, value)
        self._spark = builder.getOrCreate()

    async def know_units(self, connection: AsyncConnection) -> None:
        """Take over from the database who works in which department, and what is above it."""
        for table, names in _UNITS.items():
            rows = [tuple(row) for row in await connection.execute(select(*(table.c[name] for name in names)))]
            schema = ", ".join(f"{name} STRING" for name in names)
            self._spark.createDataFrame(rows, schema).createOrReplaceTempView(table.name)

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
        """What Spark gives."""
        names, rows = await asyncio.to_thread(self._run, spark_sql(statement))
        return IteratorResult(SimpleResultMetaData(names), iter(rows)).all()

    def _run(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._spark.sql(sql)
        return list(found.columns), [tuple(row) for row in found.collect()]

    def _opened(self, fact: str, files: Iterable[LakeFile]) -> CountedFact:
        shape = stored_fact(fact).shape
        name = f"lake_{fact}_{len(self._stored)}"
        schema = ", ".join(f"`{field}` {_SPARK_TYPES.get(kind, 'BIGINT')}" for field, kind in shape.items())
        paths = [str(file.path(self._folder)) for file in files]
        read = self._spark.read.schema(schema)
        rows = read.parquet(*paths) if paths else self._spark.createDataFrame([], schema)
        rows.createOrReplaceTempView(name)
        columns = [Column(field, _TYPES.get(kind, BigInteger)) for field, kind in shape.items()]
        table = Table(name, MetaData(), *columns)
        return CountedFact(table, dict(table.c.items()), shape, {})
