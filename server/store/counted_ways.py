"""What becomes of rows: statements that count them, and what their results say of each unit and period."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Select, and_, case, distinct, func, literal, literal_column, select

from server.scoring.part import Counted, ReadPart, Summand
from server.scoring.plain import MEDIAN, P90, When
from server.store.counted_facts import CountedFact
from server.store.counted_pass import Column, Pass
from server.store.counting_executor import Executor, Found
from server.store.sql_terms import at_share, in_order, local_day_number


async def count_together(
    executor: Executor, parts: Sequence[ReadPart], shared: Pass, found: Mapping[When, Found]
) -> None:
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
    passes = [Pass(part, "person", None, run, fact) for part in parts]
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


async def count_alone(executor: Executor, own: Pass, found: Mapping[When, Found]) -> None:
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


def _total(own: Pass, row: Any) -> Counted:
    return Counted(Fraction(own.part.factor(own.months) * int(row.total or 0), _of_one(own.part)), row.rows)


def _keys_of_units(executor: Executor, own: Pass) -> Select[Any]:
    """Keys that are good, and how many of them the other part has too."""
    keys = _good_keys(own).cte("keys")
    cell = own.cell_of(keys)
    total: Column = func.count()
    if own.part.also is not None:
        other = Pass(own.part.also, "company", None, own.run, executor.fact(own.part.also, own.run))
        among = None if own.units is None else select(keys.c.key)
        known = _good_keys(other, among).subquery()
        total = func.count(known.c.key)
        same = [known.c[name] == keys.c[name] for name in ("key", *own.cell[1:])]
        joined = keys.outerjoin(known, and_(*same))
        return select(*cell, total.label("total"), func.count().label("rows")).select_from(joined).group_by(*cell)
    return select(*cell, total.label("total"), func.count().label("rows")).group_by(*cell)


def _good_keys(own: Pass, among: Select[Any] | None = None) -> Select[Any]:
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


def _ratings(own: Pass) -> Select[Any]:
    """Sums by scale, each moved to 1 to 5 afterwards, so that nothing is rounded."""
    value, least, most = (own.value(operand) for operand in own.part.rating or ())
    good = [own.holds(condition) for condition in own.part.good]
    sums = (func.sum(value).label("total"), func.count().label("rows"))
    wanted = own.rows(least.label("least"), most.label("most"), *sums)
    wanted = wanted.where(value.is_not(None), least.is_not(None), most.is_not(None), least != most, *good)
    return wanted.group_by(*own.cell, least, most)


def _rating(own: Pass, row: Any) -> Counted:
    moved = row.rows + Fraction(4 * (int(row.total) - row.rows * row.least), row.most - row.least)
    return Counted(own.part.factor(own.months) * moved, row.rows)


def _percentiles(own: Pass) -> Select[Any]:
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


def _stocks(own: Pass) -> Select[Any]:
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


def _summed(own: Pass, summands: Sequence[Summand]) -> Column:
    values = [summand.sign * func.coalesce(own.value(summand.value.operand), 0) for summand in summands]
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
