"""Counting on the lake with Spark: the same statements on the same files, for companies with a cluster of their own."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.sql.selectable import _CompoundSelectKeyword

from server.scoring.formula import Kind, Shape
from server.store.lake_files import OnFiles
from shared.errors import ConfigError

_SPARK_TYPES: Mapping[Kind, str] = {"text": "STRING", "month": "STRING", "flag": "BOOLEAN"}
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


class OnSpark(OnFiles):
    """The lake as it was when this was opened, counted by Spark; ``folder`` has to be where its workers see it."""

    def __init__(self, folder: Path, master: str = "local[2]") -> None:
        try:
            session = import_module("pyspark.sql").SparkSession  # too large to be there wherever types are checked
        except ImportError as error:
            raise ConfigError("Spark is not installed: pip install 'muster[server,lake,spark]'") from error
        super().__init__(folder)
        builder = session.builder.master(master).appName("muster")
        for name, value in _SETTINGS.items():
            builder = builder.config(name, value)
        self._spark = builder.getOrCreate()

    def _take(self, name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        schema = ", ".join(f"{column} STRING" for column in columns)
        self._spark.createDataFrame(rows, schema).createOrReplaceTempView(name)

    def _show(self, name: str, shape: Shape, paths: Sequence[str]) -> None:
        schema = ", ".join(f"`{field}` {_SPARK_TYPES.get(kind, 'BIGINT')}" for field, kind in shape.items())
        read = self._spark.read.schema(schema)
        rows = read.parquet(*paths) if paths else self._spark.createDataFrame([], schema)
        rows.createOrReplaceTempView(name)

    def _run(self, statement: Select[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._spark.sql(spark_sql(statement))
        return list(found.columns), [tuple(row) for row in found.collect()]
