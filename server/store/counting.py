"""Counting parts of indicators in the database: one pass for all parts that read the same rows by the same date.

The same statements run on SQLite and PostgreSQL and give the same whole numbers as ``server/scoring/plain.py``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol, TypeAlias

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
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.formula import EndOf, Field, FirstSet, Least, Number, Operand, Typed
from server.scoring.indicator import Level
from server.scoring.part import Counted, Part, ReadPart, Summand
from server.scoring.plain import MEDIAN, P90, When, end_of_day, local_day
from server.scoring.where import AnyOf, Compared, Condition, Empty, Flag, Listed
from server.scoring.window import EPOCH, Days, day_after_epoch, epoch_day, month_number, window_of
from server.store.counted_facts import CountedFact, counted_fact
from server.store.sql_terms import at_share, end_of_local_day, in_order, local_day_number
from server.store.tables import departments, employees, sites

Column: TypeAlias = ColumnElement[Any]
Found: TypeAlias = dict[Part, dict[str, Counted]]
"""What each part came to, by unit; a unit without a row is not there."""

COMPANY = "company"
"""The one unit of that level."""
MONTHS_OF_YEAR = 12
_JOINT = "\x1f"


class Executor(Protocol):
    """Something that runs these statements: a database, or DuckDB over the lake."""

    @property
    def ranks(self) -> bool:
        """Whether it knows ``sql_terms.at_share``."""

    def months_of_keys(self, fact: str) -> int:
        """Of how many months one statement may keep the keys of a fact's rows in memory."""

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """The rows of a part's fact, as this one holds them: all that lie in its windows, at least."""

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """What a statement gives."""


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """The server's own database."""

    connection: AsyncConnection
    ranks: bool = False

    def months_of_keys(self, fact: str) -> int:  # noqa: ARG002
        """A year: the database puts on disk what is too much."""
        return MONTHS_OF_YEAR

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """Of the tables."""
        last = whens[-1]
        return counted_fact(part.part.fact, last.days.months, last.zone, last.days.last.year)

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """From the state that the connection sees."""
        found: Sequence[Any] = (await self.connection.execute(statement)).all()
        return found


async def count(
    executor: Executor, parts: Iterable[ReadPart], level: Level, units: Collection[str] | None, when: When
) -> Found:
    """Count parts at a level, for these units or, with None, for all that have rows."""
    return (await count_each(executor, parts, level, units, [when]))[when]


async def count_each(
    executor: Executor, parts: Iterable[ReadPart], level: Level, units: Collection[str] | None, whens: Iterable[When]
) -> Mapping[When, Found]:
    """Count several periods by as few statements as can be: rows of a year are read once, not twelve times."""
    in_order = sorted(set(whens), key=lambda when: (when.days.first, when.days.last))
    found: dict[When, Found] = {when: {} for when in in_order}
    passes: dict[tuple[object, ...], tuple[tuple[When, ...], list[ReadPart]]] = {}
    for one in dict.fromkeys(parts):
        for run in _runs(one, in_order, executor):
            rows = one.part.fact, one.part.date, one.part.window, one.part.person
            shared = rows if _is_plain(one, executor) else one
            passes.setdefault((shared, run), (run, []))[1].append(one)
    for run, group in passes.values():
        for when in run:
            found[when] |= {part.part: {} for part in group}
        own = _Pass(group[0], level, units, run, executor.fact(group[0], run))
        if _is_plain(group[0], executor):
            await _together(executor, group, own, found)
        else:
            await _alone(executor, own, found)
    return found


def _runs(part: ReadPart, whens: Iterable[When], executor: Executor) -> Iterator[tuple[When, ...]]:
    """Periods of which a row of a part counts in one at most, so that one statement tells them apart."""
    run: list[When] = []
    months = executor.months_of_keys(part.part.fact) if part.part.distinct else MONTHS_OF_YEAR
    for when in whens:
        if run and (not _follows(part, run[-1], when) or Days(run[0].days.first, when.days.last).months > months):
            yield tuple(run)
            run = []
        run.append(when)
    if run:
        yield tuple(run)


def _follows(part: ReadPart, earlier: When, later: When) -> bool:
    """Whether the window of a period begins where that of another ends, and all else is the same for both."""
    if part.date is None or part.part.stock or _asks_for_period(part):
        return False
    terms = [(when.zone, when.cut_ms, when.days.months, when.days.last.year) for when in (earlier, later)]
    if terms[0] != terms[1] or (part.also is not None and not _follows(part.also, earlier, later)):
        return False
    before, after = (window_of(part.part.window, when.days) for when in (earlier, later))
    if part.date.kind == "month":
        return month_number(before.last) + 1 == month_number(after.first)
    return epoch_day(before.last) + 1 == epoch_day(after.first)


def _asks_for_period(part: ReadPart) -> bool:
    conditions = list(part.where + part.good)
    while conditions:
        condition = conditions.pop()
        if isinstance(condition, AnyOf):
            conditions += condition.options
        elif isinstance(condition, Compared) and condition.right in ("period.first", "period.last"):
            return True
    return part.also is not None and _asks_for_period(part.also)


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
    own = _Pass(part, level, [unit], (when,), fact)
    good = case((and_(literal(1) == 1, *(own.holds(condition) for condition in part.good)), 1), else_=0)
    keys = [own.fact.fields[name].label(name) for name in ("source", "source_key")]
    at = literal(None, BigInteger) if own.date is None else own.date
    further = [own.fact.fields[name].label(name) for name in fields]
    rows = own.rows(*keys, at.label("at"), good.label("counts"), *further)
    return rows.order_by("at", "source", "source_key")


@dataclass(frozen=True, slots=True)
class _Pass:
    """Rows of one fact in the windows of a run of periods, each row with its unit and, of several, its period."""

    part: ReadPart
    level: Level
    units: Collection[str] | None
    run: tuple[When, ...]
    fact: CountedFact

    @property
    def when(self) -> When:
        """The last one; what is not the same for all of a run is never asked of it."""
        return self.run[-1]

    @property
    def months(self) -> int:
        """Of each of the run."""
        return self.when.days.months

    @property
    def window(self) -> Days:
        """From the first day of the first to the last of the last."""
        windows = [window_of(self.part.part.window, when.days) for when in (self.run[0], self.run[-1])]
        return Days(windows[0].first, windows[1].last)

    @property
    def cell(self) -> tuple[str, ...]:
        """Names of the columns of ``rows`` under which a row is counted."""
        return ("unit",) if len(self.run) == 1 else ("unit", "nth_period")

    def cell_of(self, rows: FromClause) -> list[Column]:
        """Those columns, in a statement over ``rows``."""
        return [rows.c[name] for name in self.cell]

    def cells(self) -> list[Column]:
        """What is in those columns, as terms of a stored row."""
        unit, _ = self.units_of_rows()
        return [unit, *self.place()]

    def place(self) -> list[Column]:
        """Which of several periods a row is in, from 0; nothing for one."""
        date, typed = self.date, self.part.date
        if len(self.run) == 1 or date is None or typed is None:
            return []
        lasts = [window_of(self.part.part.window, when.days).last for when in self.run[:-1]]
        ends = [self._last(typed, last) for last in lasts]
        return [case(*((date <= end, number) for number, end in enumerate(ends)), else_=len(ends))]

    def place_of(self, row: Any) -> int:
        """That number in a row of a result."""
        return 0 if len(self.run) == 1 else row.nth_period

    def _last(self, typed: Typed, day: date) -> int | str:
        match typed.kind:
            case "month":
                return f"{day:%Y-%m}"
            case "day":
                return epoch_day(day)
            case _:
                return end_of_day(epoch_day(day), self.when.zone)

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

    def conditions(self) -> Sequence[Condition]:
        """What a row has to meet in order to count."""
        return (*self.part.where, *self.part.good)

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
        place = [term.label("nth_period") for term in self.place()]
        wanted = select(unit.label("unit"), *place, *columns).select_from(source).where(unit.is_not(None))
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


def _is_plain(part: ReadPart, executor: Executor) -> bool:
    own = part.part
    return not (own.first or own.days or own.also or own.stock or own.rating or (own.percentile and not executor.ranks))


async def _together(executor: Executor, parts: Sequence[ReadPart], shared: _Pass, found: Mapping[When, Found]) -> None:
    """Parts that are counted, added up, or counted once for each key, in one pass."""
    # Most of the time goes into writing a statement down, and most of a statement stays the same all day.
    same = tuple(When(when.days, when.zone, cut_ms=0) for when in shared.run)
    common, columns = _columns(tuple(parts), shared.fact, same)
    statement = shared.rows(*chain.from_iterable(columns), chosen=False).where(*common).group_by(*shared.cell)
    rows, at = await executor.rows(statement), len(shared.cell)
    for part, told in zip(parts, columns, strict=True):
        number, total = at, at + len(told) - 1
        at += len(told)
        times, of_one = part.factor(shared.months), _of_one(part)
        counted = [found[when][part.part] for when in shared.run]
        for row in rows:
            if row[number]:
                value = Counted(Fraction(times * int(row[total] or 0), of_one), row[number])
                counted[shared.place_of(row)][row[0]] = value


def _of_one(part: ReadPart) -> int:
    """The sum of the two middle values is twice the one in the middle."""
    return part.parts_of_one * (2 if part.part.percentile == MEDIAN else 1)


@lru_cache(maxsize=1024)
def _columns(
    parts: tuple[ReadPart, ...], fact: CountedFact, run: tuple[When, ...]
) -> tuple[Sequence[Column], Sequence[Sequence[Column]]]:
    """Conditions of all parts, and for each part how many rows or keys are good and, if any, what they add up to."""
    passes = [_Pass(part, "person", None, run, fact) for part in parts]
    every = [condition for condition in passes[0].conditions() if all(condition in own.conditions() for own in passes)]
    columns: list[list[Column]] = []
    for place, own in enumerate(passes):
        good = and_(literal(1) == 1, *(own.holds(one) for one in own.conditions() if one not in every))
        counted: Column = case((good, 1))
        summed: Column | None = None
        if own.part.distinct:
            counted = distinct(case((good, own.key())))
        elif own.part.part.percentile:
            counted = case((good, own.value(own.part.sum[0].value.operand)))
            summed = _at_share(counted, own.part.part.percentile)
        elif own.part.sum:
            summed = func.sum(case((good, _summed(own, own.part.sum))))
        told: list[Column] = [func.count(counted).label(f"rows_{place}")]
        columns.append(told if summed is None else [*told, summed.label(f"sum_{place}")])
    return [passes[0].holds(condition) for condition in every], columns


def _at_share(value: Column, percentile: int) -> Column:
    """The 90th of a hundred, or the sum of the two middle values, of which the upper is the lower from above."""
    if percentile == P90:
        return at_share(value, literal_column("0.9"))
    return at_share(value, literal_column("0.5")) - at_share(-value, literal_column("0.5"))


async def _alone(executor: Executor, own: _Pass, found: Mapping[When, Found]) -> None:
    """A part that needs rows of its own."""
    part = own.part.part
    if part.rating is not None:
        statement, counted = _ratings(own), _rating
    elif part.percentile is not None:
        statement, counted = _percentiles(own), _total
    else:
        statement, counted = _stocks(own) if part.stock else _keys_of_units(executor, own), _total
    for row in await executor.rows(statement):
        by_unit, more = found[own.run[own.place_of(row)]][part], counted(own, row)
        before = by_unit.get(row.unit, Counted())
        if more.rows:
            by_unit[row.unit] = Counted(before.total + more.total, before.rows + more.rows)


def _total(own: _Pass, row: Any) -> Counted:
    return Counted(Fraction(own.part.factor(own.months) * int(row.total or 0), _of_one(own.part)), row.rows)


def _keys_of_units(executor: Executor, own: _Pass) -> Select[Any]:
    """Keys that are good, and how many of them the other part has too."""
    keys = _good_keys(own).cte("keys")
    cell = own.cell_of(keys)
    total: Column = func.count()
    if own.part.also is not None:
        other = _Pass(own.part.also, "company", None, own.run, executor.fact(own.part.also, own.run))
        among = None if own.units is None else select(keys.c.key)
        known = _good_keys(other, among).subquery()
        total = func.count(known.c.key)
        same = [known.c[name] == keys.c[name] for name in ("key", *own.cell[1:])]
        joined = keys.outerjoin(known, and_(*same))
        return select(*cell, total.label("total"), func.count().label("rows")).select_from(joined).group_by(*cell)
    return select(*cell, total.label("total"), func.count().label("rows")).group_by(*cell)


def _good_keys(own: _Pass, among: Select[Any] | None = None) -> Select[Any]:
    """Each key of a unit that has a good row, once; looked for among these keys, or among all."""
    good = and_(literal(1) == 1, *(own.holds(condition) for condition in own.part.good))
    wanted = [] if among is None else [own.key().in_(among)]
    date = own.date
    if own.part.part.first:
        order: list[Any] = [date, in_order(own.fact.fields["source"]), in_order(own.fact.fields["source_key"])]
        place_of_key = func.row_number().over(partition_by=[*own.cells(), own.key()], order_by=order)
        ranked = own.rows(own.key().label("key"), place_of_key.label("nth"), case((good, 1), else_=0).label("good"))
        placed = ranked.where(*wanted).subquery()
        first = (placed.c.nth == 1, placed.c.good == 1, placed.c.key.is_not(None))
        return select(*own.cell_of(placed), placed.c.key).where(*first)
    columns = [own.key().label("key")]
    if own.part.part.days and date is not None and own.part.date is not None:
        instant = own.part.date.kind == "instant"
        columns.append((local_day_number(date, own.when.zone, own.window.last) if instant else date).label("day"))
    rows = own.rows(*columns).where(good, *wanted).subquery()
    cell = own.cell_of(rows)
    keys = select(*cell, rows.c.key).where(rows.c.key.is_not(None)).group_by(*cell, rows.c.key)
    return keys.having(func.count(distinct(rows.c.day)) >= own.part.part.days) if own.part.part.days else keys


def _ratings(own: _Pass) -> Select[Any]:
    """Sums by scale, each moved to 1 to 5 afterwards, so that nothing is rounded."""
    value, least, most = (own.value(operand) for operand in own.part.rating or ())
    good = [own.holds(condition) for condition in own.part.good]
    sums = (func.sum(value).label("total"), func.count().label("rows"))
    wanted = own.rows(least.label("least"), most.label("most"), *sums)
    wanted = wanted.where(value.is_not(None), least.is_not(None), most.is_not(None), least != most, *good)
    return wanted.group_by(*own.cell, least, most)


def _rating(own: _Pass, row: Any) -> Counted:
    moved = row.rows + Fraction(4 * (int(row.total) - row.rows * row.least), row.most - row.least)
    return Counted(own.part.factor(own.months) * moved, row.rows)


def _percentiles(own: _Pass) -> Select[Any]:
    """By row numbers: percentile functions of databases return binary floats (KS-1)."""
    value, cells = own.value(own.part.sum[0].value.operand), own.cells()
    nth = func.row_number().over(partition_by=cells, order_by=value)
    of_all = func.count().over(partition_by=cells)
    ranked = own.rows(value.label("value"), nth.label("nth"), of_all.label("number")).where(value.is_not(None))
    rows = ranked.subquery()
    number, cell = rows.c.number, own.cell_of(rows)
    wanted = [(9 * number + 9) // 10] if own.part.part.percentile == P90 else [(number + 1) // 2, number // 2 + 1]
    total = func.sum(sum(case((rows.c.nth == at, rows.c.value), else_=0) for at in wanted))
    return select(*cell, func.count().label("rows"), total.label("total")).group_by(*cell)


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
