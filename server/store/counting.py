"""Counting parts of indicators in the database: one pass for all parts that read the same rows by the same date.

The same statements run on SQLite and PostgreSQL and give the same whole numbers as ``server/scoring/plain.py``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    distinct,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.formula import EndOf, Field, FirstSet, Least, Number, Operand
from server.scoring.indicator import Level
from server.scoring.part import Counted, Part, ReadPart, Summand
from server.scoring.plain import P90, When, end_of_day, local_day
from server.scoring.where import AnyOf, Compared, Condition, Empty, Flag, Listed
from server.scoring.window import EPOCH, Days, day_after_epoch, epoch_day, window_of
from server.store.counted_facts import CountedFact, counted_fact
from server.store.sql_terms import end_of_local_day, in_order, local_day_number
from server.store.tables import departments, employees, sites

Column: TypeAlias = ColumnElement[Any]
Found: TypeAlias = dict[Part, dict[str, Counted]]
"""What each part came to, by unit; a unit without a row is not there."""

COMPANY = "company"
"""The one unit of that level."""
_JOINT = "\x1f"


class Executor(Protocol):
    """Something that runs these statements: a database, or DuckDB over the lake."""

    def fact(self, part: ReadPart, when: When) -> CountedFact:
        """The rows of a part's fact, as this one holds them: all that lie in its window, at least."""

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """What a statement gives."""


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """The server's own database."""

    connection: AsyncConnection

    def fact(self, part: ReadPart, when: When) -> CountedFact:
        """Of the tables."""
        return counted_fact(part.part.fact, when.days.months, when.zone, when.days.last.year)

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """From the state that the connection sees."""
        found: Sequence[Any] = (await self.connection.execute(statement)).all()
        return found


async def count(
    executor: Executor, parts: Iterable[ReadPart], level: Level, units: Collection[str] | None, when: When
) -> Found:
    """Count parts at a level, for these units or, with None, for all that have rows."""
    found: Found = {}
    passes: dict[tuple[str, str | None, str, str], list[ReadPart]] = defaultdict(list)
    for part in dict.fromkeys(parts):
        if _is_plain(part):
            own = part.part
            passes[own.fact, own.date, own.window, own.person].append(part)
        else:
            fact = executor.fact(part, when)
            found[part.part] = await _alone(executor, _Pass(part, level, units, when, fact))
    for together in passes.values():
        fact = executor.fact(together[0], when)
        found |= await _together(executor, together, _Pass(together[0], level, units, when, fact))
    return found


def _lines_of_departments() -> FromClause:
    """Each department with itself and all above it."""
    line = select(departments.c.id.label("department"), departments.c.id.label("unit"), departments.c.parent).cte(
        "department_lines", recursive=True
    )
    upper = departments.alias()
    step = select(line.c.department, upper.c.id, upper.c.parent).join(upper, upper.c.id == line.c.parent)
    return line.union(step)


_NAMED = departments.alias("named")
"""The department that a row names itself."""
_LINES = _lines_of_departments()
_SITES = {"site_key": sites.alias("site_by_key"), "org_key": sites.alias("site_by_org")}
"""Fields that name a site, first the surer one."""


def listed(part: ReadPart, level: Level, unit: str, when: When, fields: Sequence[str]) -> Select[Any]:
    """Rows of a unit that a part looks at, oldest first: ``source``, ``source_key``, ``at``, ``counts``, and fields.

    ``at`` is as the part's date, ``counts`` whether the row is good.
    """
    fact = counted_fact(part.part.fact, when.days.months, when.zone, when.days.last.year)
    own = _Pass(part, level, [unit], when, fact)
    good = case((and_(literal(1) == 1, *(own.holds(condition) for condition in part.good)), 1), else_=0)
    keys = [own.fact.fields[name].label(name) for name in ("source", "source_key")]
    at = literal(None, BigInteger) if own.date is None else own.date
    further = [own.fact.fields[name].label(name) for name in fields]
    rows = own.rows(*keys, at.label("at"), good.label("counts"), *further)
    return rows.order_by("at", "source", "source_key")


@dataclass(frozen=True, slots=True)
class _Pass:
    """Rows of one fact in one window, each with its unit."""

    part: ReadPart
    level: Level
    units: Collection[str] | None
    when: When
    fact: CountedFact

    @property
    def factor(self) -> int:
        return self.part.factor(self.when.days.months)

    @property
    def window(self) -> Days:
        return window_of(self.part.part.window, self.when.days)

    def value(self, operand: Operand) -> Column:
        """An operand as a column."""
        fields = self.fact.fields
        match operand:
            case Field(name):
                return fields[name]
            case EndOf(name):
                return end_of_local_day(fields[name], self.when.zone, self.window.last)
            case Number(number):
                return literal(number, BigInteger)
            case Least(left, right):
                low, high = self.value(left), self.value(right)
                return case((low <= high, low), (high < low, high))
            case FirstSet(options):
                return func.coalesce(*(self.value(option) for option in options))

    def holds(self, condition: Condition) -> Column:
        """A condition as a column that is never null."""
        fields = self.fact.fields
        match condition:
            case Empty(name, wanted):
                column = self.fact.days.get(name, fields[name])
                return column.is_(None) if wanted else column.is_not(None)
            case Flag(name, value, wanted):
                same = and_(fields[name].is_not(None), fields[name].is_(value))
                return same if wanted else ~same
            case Listed(name, words, wanted):
                listed = fields[name].in_(words) if wanted else fields[name].not_in(words)
                return and_(fields[name].is_not(None), listed)
            case AnyOf(options):
                return or_(*(self.holds(option) for option in options))
            case Compared():
                return self._compared(condition)

    def _compared(self, condition: Compared) -> Column:
        left = self.value(condition.left)
        right: Column
        if condition.right == "period.first":
            right = literal(epoch_day(self.when.days.first), BigInteger)
        elif condition.right == "period.last":
            right = literal(epoch_day(self.when.days.last), BigInteger)
        else:
            right = self.value(condition.right)
        both = and_(left.is_not(None), right.is_not(None))
        return and_(both, left.op(condition.comparison, is_comparison=True)(right + condition.plus))

    @property
    def date(self) -> Column | None:
        """What puts rows into the window."""
        return None if self.part.date is None else self.value(self.part.date.operand)

    def dated(self, *, before: bool = False) -> list[Column]:
        """Rows in the window, or up to its end."""
        date, typed = self.date, self.part.date
        if date is None or typed is None:
            return []
        window = Days(EPOCH, self.window.last) if before else self.window
        if typed.kind == "month":
            return [date.between(f"{window.first:%Y-%m}", f"{window.last:%Y-%m}")]
        zone, first, last = self.when.zone, epoch_day(window.first), epoch_day(window.last)
        if typed.kind == "day":
            return [self._between(typed.operand, first, min(last, self.when.cut_day))]
        until = min(end_of_day(last, zone), self.when.cut_ms)
        return [self._between(typed.operand, end_of_day(first - 1, zone) + 1, until)]

    def _between(self, operand: Operand, first: int, last: int) -> Column:
        """A date from ``first`` to ``last``, both inclusive, asked of columns as they are kept: indexes serve."""
        match operand:
            case Field(name) if name in self.fact.days:
                return self.fact.days[name].between(day_after_epoch(first), day_after_epoch(last))
            case EndOf(name):
                zone = self.when.zone
                days = epoch_day(local_day(first, zone)), epoch_day(local_day(last + 1, zone)) - 1
                return self._between(Field(name), *days)
            case FirstSet(options) if not all(isinstance(option, Field) for option in options):
                ways, earlier = [], list[Column]()
                for option in options:
                    ways.append(and_(*earlier, self._between(option, first, last)))
                    earlier.append(self.value(option).is_(None))
                return or_(*ways)
            case _:
                return self.value(operand).between(first, last)

    def key(self) -> Column:
        """The key of a row as one text; null when a part of it is."""
        pieces = [_text(self.value(operand)) for operand in self.part.distinct]
        joint: Column = pieces[0]
        for piece in pieces[1:]:
            joint = joint + _JOINT + piece
        return joint

    def rows(self, *columns: Column, before: bool = False, chosen: bool = True) -> Select[Any]:
        """Those columns of the rows with their ``unit``, in the window and with ``chosen`` meeting ``where``."""
        unit, source = self.units_of_rows()
        wanted = select(unit.label("unit"), *columns).select_from(source).where(unit.is_not(None))
        if self.units is not None:
            wanted = wanted.where(unit.in_(sorted(self.units)))
        conditions = [self.holds(condition) for condition in self.part.where] if chosen else []
        return wanted.where(*self.dated(before=before), *conditions)

    def units_of_rows(self) -> tuple[Column, FromClause]:
        """The unit of a row, and the tables that tell it."""
        person, rows, fields = self.value(self.part.person), self.fact.rows, self.fact.fields
        match self.level:
            case "person":
                return person, rows
            case "company":
                return literal(COMPANY, Text()), rows
            case "site":
                joined = rows
                named = [(site, fields[name]) for name, site in _SITES.items() if name in fields]
                for site, key in named:
                    joined = joined.outerjoin(site, site.c.id == key)
                known = [site.c.id for site, _ in named]
                return known[0] if len(known) == 1 else func.coalesce(*known), joined
            case "department":
                joined = rows.outerjoin(employees, employees.c.id == person)
                joined = joined.outerjoin(_NAMED, _NAMED.c.id == fields["org_key"])
                lowest = func.coalesce(employees.c.department, _NAMED.c.id)
                return _LINES.c.unit, joined.join(_LINES, _LINES.c.department == lowest)


def _text(column: Column) -> Column:
    return column if isinstance(column.type, Text) else cast(column, Text())


def _is_plain(part: ReadPart) -> bool:
    own = part.part
    return not (own.first or own.days or own.also or own.percentile or own.stock or own.rating)


async def _together(executor: Executor, parts: Sequence[ReadPart], shared: _Pass) -> Found:
    """Parts that are counted, added up, or counted once for each key, in one pass."""
    # Most of the time goes into writing a statement down, and most of a statement stays the same all day.
    columns = _columns(tuple(parts), shared.fact, shared.when.days, shared.when.zone)
    rows = shared.rows(*columns, chosen=False)
    statement = rows.group_by("unit")
    found: Found = {part.part: {} for part in parts}
    for row in await executor.rows(statement):
        values = row._mapping  # noqa: SLF001  (SQLAlchemy's name for it)
        for place, part in enumerate(parts):
            number = values[f"rows_{place}"]
            total = int(values[f"sum_{place}"] or 0) if part.sum else number
            times = part.factor(shared.when.days.months)
            if number:
                found[part.part][row.unit] = Counted(Fraction(times * total, part.parts_of_one), number)
    return found


@lru_cache(maxsize=1024)
def _columns(parts: tuple[ReadPart, ...], fact: CountedFact, days: Days, zone: ZoneInfo) -> tuple[Column, ...]:
    """For each part how many rows or keys are good, and what they add up to."""
    columns: list[Column] = []
    for place, part in enumerate(parts):
        own = _Pass(part, "person", None, When(days, zone, cut_ms=0), fact)
        good = and_(literal(1) == 1, *(own.holds(condition) for condition in (*part.where, *part.good)))
        if part.distinct:
            columns.append(func.count(distinct(case((good, own.key())))).label(f"rows_{place}"))
        else:
            columns.append(func.count(case((good, 1))).label(f"rows_{place}"))
        if part.sum:
            columns.append(func.sum(case((good, _summed(own, part.sum)))).label(f"sum_{place}"))
    return tuple(columns)


async def _alone(executor: Executor, own: _Pass) -> dict[str, Counted]:
    """A part that needs rows of its own."""
    part = own.part.part
    if part.rating is not None:
        return await _ratings(executor, own)
    if part.percentile is not None:
        return await _percentiles(executor, own)
    statement = _stocks(own) if part.stock else _keys_of_units(executor, own)
    return {
        row.unit: Counted(Fraction(own.factor * int(row.total or 0), own.part.parts_of_one), row.rows)
        for row in await executor.rows(statement)
        if row.rows
    }


def _keys_of_units(executor: Executor, own: _Pass) -> Select[Any]:
    """Keys that are good, and how many of them the other part has too."""
    keys = _good_keys(own).cte("keys")
    total: Column = func.count()
    if own.part.also is not None:
        other = _Pass(own.part.also, "company", None, own.when, executor.fact(own.part.also, own.when))
        among = None if own.units is None else select(keys.c.key)
        known = _good_keys(other, among).subquery()
        total = func.count(known.c.key)
        joined = keys.outerjoin(known, known.c.key == keys.c.key)
        return (
            select(keys.c.unit, total.label("total"), func.count().label("rows"))
            .select_from(joined)
            .group_by(keys.c.unit)
        )
    return select(keys.c.unit, total.label("total"), func.count().label("rows")).group_by(keys.c.unit)


def _good_keys(own: _Pass, among: Select[Any] | None = None) -> Select[Any]:
    """Each key of a unit that has a good row, once; looked for among these keys, or among all."""
    good = and_(literal(1) == 1, *(own.holds(condition) for condition in own.part.good))
    wanted = [] if among is None else [own.key().in_(among)]
    date = own.date
    if own.part.part.first:
        order: list[Any] = [date, in_order(own.fact.fields["source"]), in_order(own.fact.fields["source_key"])]
        unit, _ = own.units_of_rows()
        place = func.row_number().over(partition_by=[unit, own.key()], order_by=order)
        ranked = own.rows(own.key().label("key"), place.label("place"), case((good, 1), else_=0).label("good"))
        placed = ranked.where(*wanted).subquery()
        first = (placed.c.place == 1, placed.c.good == 1, placed.c.key.is_not(None))
        return select(placed.c.unit, placed.c.key).where(*first)
    columns = [own.key().label("key")]
    if own.part.part.days and date is not None and own.part.date is not None:
        instant = own.part.date.kind == "instant"
        columns.append((local_day_number(date, own.when.zone, own.window.last) if instant else date).label("day"))
    rows = own.rows(*columns).where(good, *wanted).subquery()
    keys = select(rows.c.unit, rows.c.key).where(rows.c.key.is_not(None)).group_by(rows.c.unit, rows.c.key)
    return keys.having(func.count(distinct(rows.c.day)) >= own.part.part.days) if own.part.part.days else keys


async def _ratings(executor: Executor, own: _Pass) -> dict[str, Counted]:
    """Sums by scale, each moved to 1 to 5 afterwards, so that nothing is rounded."""
    value, least, most = (own.value(operand) for operand in own.part.rating or ())
    good = [own.holds(condition) for condition in own.part.good]
    sums = (func.sum(value).label("total"), func.count().label("number"))
    wanted = own.rows(least.label("least"), most.label("most"), *sums)
    wanted = wanted.where(value.is_not(None), least.is_not(None), most.is_not(None), least != most, *good)
    found: dict[str, Counted] = {}
    for row in await executor.rows(wanted.group_by("unit", least, most)):
        moved = row.number + Fraction(4 * (int(row.total) - row.number * row.least), row.most - row.least)
        before = found.get(row.unit, Counted())
        found[row.unit] = Counted(before.total + own.factor * moved, before.rows + row.number)
    return found


async def _percentiles(executor: Executor, own: _Pass) -> dict[str, Counted]:
    """By row numbers: percentile functions of databases return binary floats (KS-1)."""
    value = own.value(own.part.sum[0].value.operand)
    unit, _ = own.units_of_rows()
    place = func.row_number().over(partition_by=unit, order_by=value)
    number = func.count().over(partition_by=unit)
    ranked = own.rows(value.label("value"), place.label("place"), number.label("number")).where(value.is_not(None))
    rows = ranked.subquery()
    if own.part.part.percentile == P90:
        wanted, halves = [(9 * rows.c.number + 9) // 10], 1
    else:
        wanted, halves = [(rows.c.number + 1) // 2, rows.c.number // 2 + 1], 2
    sums = [func.sum(case((rows.c.place == at, rows.c.value), else_=0)) for at in wanted]
    statement = select(rows.c.unit, func.count().label("number"), *(s.label(f"at_{n}") for n, s in enumerate(sums)))
    return {
        row.unit: Counted(
            Fraction(own.factor * sum(int(value) for value in row[2:]), halves * own.part.parts_of_one), row.number
        )
        for row in await executor.rows(statement.group_by(rows.c.unit))
    }


def _stocks(own: _Pass) -> Select[Any]:
    """Of each key the last value before the window and the last one in it."""
    value, date = own.value(own.part.sum[0].value.operand), own.date
    assert date is not None  # noqa: S101  (a stock without a date is refused when it is read)
    inside = case((and_(*own.dated()), 1), else_=0)
    unit, _ = own.units_of_rows()
    order = [date.desc(), in_order(own.fact.fields["source"]).desc(), in_order(own.fact.fields["source_key"]).desc()]
    place = func.row_number().over(partition_by=[unit, own.key(), inside], order_by=order)
    columns = (own.key().label("key"), inside.label("inside"), value.label("value"), place.label("place"))
    rows = own.rows(*columns, before=True).where(value.is_not(None)).subquery()
    newest = select(rows).where(rows.c.place == 1, rows.c.key.is_not(None))
    start, end = newest.where(rows.c.inside == 0).subquery(), newest.where(rows.c.inside == 1).subquery()
    both = start.join(end, and_(start.c.unit == end.c.unit, start.c.key == end.c.key))
    taken = start.c.value if own.part.part.stock == "start" else end.c.value - start.c.value
    total = func.sum(taken).label("total")
    return select(start.c.unit, total, func.count().label("rows")).select_from(both).group_by(start.c.unit)


def _summed(own: _Pass, summands: Sequence[Summand]) -> Column:
    values = [summand.sign * func.coalesce(own.value(summand.value.operand), 0) for summand in summands]
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
