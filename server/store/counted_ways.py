"""What becomes of rows: statements that count them, and what their results say of each unit and period."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sqlalchemy import Select, and_, case, distinct, func, literal_column, select, true

from server.scoring.part import Counted, Heads, ReadPart, Summand, without_also
from server.scoring.plain import JOINT, MEDIAN, P90, When
from server.store.counted_pass import Column, Pass
from server.store.counting_executor import Found, Way
from server.store.sql_terms import at_share, in_order, local_day_number, whole


def way_of(parts: Sequence[ReadPart], *, together: bool) -> Way:
    """How parts are counted that share a pass; one that needs rows of its own comes alone."""
    if together:
        return _Together(tuple(parts))
    [one] = parts
    if isinstance(one.part, Heads):
        return _Heads()
    if one.part.rating is not None:
        return _Alone(_ratings, _rating)
    if one.part.percentile is not None:
        return _Alone(_percentiles, _total)
    return _Alone(_stocks if one.part.stock else _keys_of_units, _total)


def _is_summed(part: ReadPart) -> bool:
    """Whether there is more to tell than how many rows or keys are good."""
    return not part.distinct and bool(part.sum)


def _of_one(part: ReadPart) -> int:
    """The sum of the two middle values is twice the one in the middle."""
    return part.parts_of_one * (2 if part.part.percentile == MEDIAN else 1)


@dataclass(frozen=True, slots=True)
class _Together:
    """Parts that are counted, added up, or counted once for each key: how many rows or keys are good, and their sum."""

    parts: tuple[ReadPart, ...]

    def __call__(self, shared: Pass) -> Select[Any]:
        passes = [replace(shared, part=part) for part in self.parts]
        asked = [own.conditions() for own in passes]
        every = [condition for condition in asked[0] if all(condition in own for own in asked)]
        held = {condition: shared.holds(condition) for own in asked for condition in own}
        columns: list[Column] = []
        for place, own in enumerate(passes):
            good = and_(true(), *(held[one] for one in asked[place] if one not in every))
            counted: Column = case((good, whole(1)))
            if own.part.distinct:
                counted = distinct(case((good, own.key())))
            elif own.part.part.percentile:
                counted = case((good, own.value(own.part.sum[0].value.operand)))
            columns.append(func.count(counted).label(f"rows_{place}"))
            if own.part.part.percentile:
                columns.append(_at_share(counted, own.part.part.percentile).label(f"sum_{place}"))
            elif _is_summed(own.part):
                columns.append(func.sum(case((good, _summed(own, own.part.sum)))).label(f"sum_{place}"))
        common = [held[condition] for condition in every]
        return shared.rows(*columns, chosen=False).where(*common).group_by(*shared.cell)

    def take(self, shared: Pass, rows: Sequence[Any], found: Mapping[When, Found]) -> None:
        at = len(shared.cell)
        for part in self.parts:
            number, total = at, at + _is_summed(part)
            at = total + 1
            times, of_one = part.factor(shared.months), _of_one(part)
            counted = [found[when][part.part] for when in shared.run]
            for row in rows:
                if row[number]:
                    by_unit = counted[shared.place_of(row)]
                    before = by_unit.get(row[0], Counted())
                    total_of_row = Fraction(times * int(row[total] or 0), of_one)
                    by_unit[row[0]] = Counted(before.total + total_of_row, before.rows + int(row[number]))


def _at_share(value: Column, percentile: int) -> Column:
    """The 90th of a hundred, or the sum of the two middle values, of which the upper is the lower from above."""
    if percentile == P90:
        return at_share(value, literal_column("0.9"))
    return at_share(value, literal_column("0.5")) - at_share(-value, literal_column("0.5"))


@dataclass(frozen=True, slots=True)
class _Alone:
    """A part that needs rows of its own, and what a row of the result says of it."""

    write: Callable[[Pass], Select[Any]]
    counted: Callable[[Pass, Any], Counted]

    def __call__(self, own: Pass) -> Select[Any]:
        return self.write(own)

    def take(self, own: Pass, rows: Sequence[Any], found: Mapping[When, Found]) -> None:
        for row in rows:
            counted = found[own.run[own.place_of(row)]]
            by_unit, more = counted[own.part.part], self.counted(own, row)
            before = by_unit.get(row.unit, Counted())
            if more.rows:
                by_unit[row.unit] = Counted(before.total + more.total, before.rows + more.rows)
                if own.part.also is not None and (beside := counted.get(without_also(own.part.part))) is not None:
                    beside[row.unit] = Counted(Fraction(own.part.factor(own.months) * more.rows), more.rows)


@dataclass(frozen=True, slots=True)
class _Heads:
    """Rows that are good, and different keys among those that are alike in what keeps them apart."""

    def __call__(self, own: Pass) -> Select[Any]:
        good = [own.holds(condition) for condition in own.part.good]
        rows = own.rows(own.key().label("key"), own.apart().label("apart")).where(*good).subquery()
        # The unit is the one text of an answer: what keeps keys apart comes with it.
        unit = (rows.c.unit + JOINT + rows.c.apart).label("unit")
        place = own.cell_of(rows)[1:]
        numbers = func.count().label("rows"), func.count(distinct(rows.c.key)).label("people")
        return select(unit, *place, *numbers).group_by(rows.c.unit, *place, rows.c.apart)

    def take(self, own: Pass, rows: Sequence[Any], found: Mapping[When, Found]) -> None:
        for row in rows:
            by_unit = found[own.run[own.place_of(row)]][own.part.part]
            unit, _, apart = row.unit.partition(JOINT)
            before, people = by_unit.get(unit, Counted()), int(row.people)
            by_unit[unit] = Counted(before.total + people, before.rows + int(row.rows), {**before.apart, apart: people})


def _total(own: Pass, row: Any) -> Counted:
    return Counted(Fraction(own.part.factor(own.months) * int(row.total or 0), _of_one(own.part)), int(row.rows))


def _keys_of_units(own: Pass) -> Select[Any]:
    """Keys that are good, and how many of them the other part has too: with it all of them are told of."""
    keys = _good_keys(own).cte()
    cell = own.cell_of(keys)
    total: Column = func.count()
    other = own.other
    if other is not None:
        among = None if own.units is None else select(keys.c.key)
        known = _good_keys(other, among).subquery()
        total = func.count(known.c.key)
        same = [known.c[name] == keys.c[name] for name in ("key", *own.cell[1:])]
        joined = keys.outerjoin(known, and_(*same))
        return select(*cell, total.label("total"), func.count().label("rows")).select_from(joined).group_by(*cell)
    return select(*cell, total.label("total"), func.count().label("rows")).group_by(*cell)


def _good_keys(own: Pass, among: Select[Any] | None = None) -> Select[Any]:
    """Each key of a unit that has a good row, once; looked for among these keys, or among all."""
    good = and_(true(), *(own.holds(condition) for condition in own.part.good))
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
    rows, total, least, most = (int(number) for number in (row.rows, row.total, row.least, row.most))
    return Counted(own.part.factor(own.months) * (rows + Fraction(4 * (total - rows * least), most - least)), rows)


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
    start, end = (func.sum(case((rows.c.inside == which, rows.c.value))) for which in (0, 1))
    taken = start if own.part.part.stock == "start" else end - start
    newest = select(rows.c.unit, taken.label("taken")).where(rows.c.place == 1, rows.c.key.is_not(None))
    of_key = newest.group_by(rows.c.unit, rows.c.key).having(start.is_not(None), end.is_not(None)).subquery()
    total = func.sum(of_key.c.taken).label("total")
    return select(of_key.c.unit, total, func.count().label("rows")).group_by(of_key.c.unit)


def _summed(own: Pass, summands: Sequence[Summand]) -> Column:
    signed: list[Column] = []
    for summand in summands:
        value = func.coalesce(own.value(summand.value.operand), whole(0))
        signed.append(value if summand.sign > 0 else -value)
    total = signed[0]
    for more in signed[1:]:
        total = total + more
    return total
