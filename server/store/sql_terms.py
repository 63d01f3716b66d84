"""Terms of SQL that databases write differently: days and numbers as whole numbers, the same everywhere."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Text, case, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)
_AROUND = timedelta(days=800)
"""How far before and after a period changes of the clocks are looked for."""


def whole(number: int) -> ColumnElement[int]:
    """A number that is part of the statement: the database sees that terms with it are the same, and counts once."""
    return literal_column(str(number), BigInteger)


class epoch_day(FunctionElement[int]):  # noqa: N801  (written like any function of SQL)
    """Days since 1970-01-01 of a date."""

    type = BigInteger()
    inherit_cache = True
    name = "epoch_day"


@compiles(epoch_day)
def _epoch_day(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} - DATE '1970-01-01')"


@compiles(epoch_day, "postgresql")
def _epoch_day_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    # Days are so small a number there that milliseconds made of it would not fit.
    return f"CAST({_epoch_day(element, compiler, **options)} AS BIGINT)"


@compiles(epoch_day, "sqlite")
def _epoch_day_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(julianday({compiler.process(element.clauses, **options)}) - 2440587.5 AS INTEGER)"


class thousandths(FunctionElement[int]):  # noqa: N801
    """A number with decimals times 1,000, half up, as a whole number."""

    type = BigInteger()
    inherit_cache = True
    name = "thousandths"


@compiles(thousandths)
def _thousandths(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(floor({compiler.process(element.clauses, **options)} * 1000 + 0.5) AS BIGINT)"


@compiles(thousandths, "sqlite")
def _thousandths_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    moved = f"({compiler.process(element.clauses, **options)} * 1000 + 0.5)"
    # CAST cuts towards zero, which is one too many below it
    return f"(CAST({moved} AS INTEGER) - ({moved} < CAST({moved} AS INTEGER)))"


class in_order(FunctionElement[str]):  # noqa: N801
    """Text that sorts by its bytes, whatever language the database speaks."""

    type = Text()
    inherit_cache = True
    name = "in_order"


@compiles(in_order)
def _in_order(element: Any, compiler: Any, **options: Any) -> str:
    return compiler.process(element.clauses, **options)  # type: ignore[no-any-return]


@compiles(in_order, "postgresql")
def _in_order_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)}) COLLATE "C"'


class at_share(FunctionElement[int]):  # noqa: N801
    """The least of some whole numbers that so large a share of them does not pass, by rank; SQLite has none.

    DuckDB ranks a share written in decimals in whole numbers. PostgreSQL multiplies in binary: a half is exact, and
    nine tenths are nearer to what was written than half a step of any product, so that rounding meets each rank.
    """

    type = BigInteger()
    inherit_cache = True
    name = "at_share"


@compiles(at_share, "duckdb")
def _at_share_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    return f"quantile_disc({compiler.process(element.clauses, **options)})"


@compiles(at_share, "postgresql")
def _at_share_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value, share = (compiler.process(clause, **options) for clause in element.clauses)
    return f"percentile_disc({share}) WITHIN GROUP (ORDER BY {value})"


class row_hash(FunctionElement[int]):  # noqa: N801
    """A whole number made of all values of a row: another value gives another number, as good as always."""

    type = BigInteger()
    inherit_cache = True
    name = "row_hash"


@compiles(row_hash)
def _row_hash(element: Any, compiler: Any, **options: Any) -> str:
    return f"hashtextextended(CAST(ROW({compiler.process(element.clauses, **options)}) AS TEXT), 0)"


@compiles(row_hash, "sqlite")
def _row_hash_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"row_hash({compiler.process(element.clauses, **options)})"


def hash_of_row(*values: object) -> int:
    """What SQLite calls for ``row_hash``; so small that a sum of it over millions of rows is still a whole number."""
    return int.from_bytes(hashlib.blake2b(repr(values).encode(), digest_size=5).digest())


def local_day_number(at_ms: ColumnElement[Any], zone: ZoneInfo, around: date) -> ColumnElement[Any]:
    """Days since 1970 of the local day on which an instant falls."""
    since = [(_midnight_ms(day), offset) for day, offset in _offsets(zone, around)]
    return (at_ms + _stepwise(at_ms, since)) // whole(DAY_MS)


def end_of_local_day(day: ColumnElement[Any], zone: ZoneInfo, around: date) -> ColumnElement[Any]:
    """Last millisecond of a day given as days since 1970."""
    since = [((first - EPOCH).days, offset) for first, offset in _offsets(zone, around)]
    following = day + whole(1)
    return following * whole(DAY_MS) - _stepwise(following, since) - whole(1)


def _offsets(zone: ZoneInfo, around: date) -> Iterator[tuple[date, int]]:
    """First day of each offset from UTC, in milliseconds, as it is at local midnight."""
    day, last = around - _AROUND, None
    while day <= around + _AROUND:
        offset = datetime.combine(day, time(), zone).utcoffset() or timedelta()
        if offset != last:
            yield day, int(offset.total_seconds()) * 1000
            last = offset
        day += timedelta(days=1)


def _midnight_ms(day: date) -> int:
    return (day - EPOCH).days * DAY_MS


def _stepwise(value: ColumnElement[Any], since: list[tuple[int, int]]) -> ColumnElement[Any]:
    """The offset of the last step that the value has reached; before all of them the first."""
    offsets = [whole(offset) for _, offset in since]
    if len(since) == 1:
        return offsets[0]
    whens = [(value < whole(start), offsets[place]) for place, (start, _) in enumerate(since[1:])]
    return case(*whens, else_=offsets[-1])
