"""Rows of one fact in the windows of periods, as statements: each with its unit, its date and what is asked of it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from server.scoring.formula import EndOf, Field, FirstSet, Least, Number, Operand, Typed
from server.scoring.indicator import Level
from server.scoring.part import ReadPart, Window
from server.scoring.plain import JOINT, When, end_of_day, local_day
from server.scoring.where import AnyOf, Compared, Condition, Empty, Flag, Listed
from server.scoring.window import EPOCH, Days, day_after_epoch, epoch_day, window_of
from server.store.counted_facts import CountedFact
from server.store.sql_terms import end_of_local_day, whole
from server.store.tables import departments, employees, sites

Column: TypeAlias = ColumnElement[Any]
COMPANY = "company"
"""The one unit of that level."""
_UNIT = "unit"


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


@dataclass(frozen=True, slots=True)
class Pass:
    """Rows of one fact in the windows of a run of periods, each row with its unit and, of several, its period."""

    part: ReadPart
    level: Level
    units: Collection[str] | None
    run: tuple[When, ...]
    fact: CountedFact
    also: CountedFact | None = None
    """Rows of the part that has to have the same keys."""
    open: bool = False
    """The unit and the instant of the cut are left open in statements, which then serve all day."""

    def opened(self) -> "Pass | None":
        """The same with unit and cut left open, equal for all whose statements are the same but for these.

        None for several units: a database that is told of them only later looks through all rows.
        """
        if self.units is not None and len(self.units) != 1:
            return None
        units = None if self.units is None else ()
        return replace(self, units=units, run=tuple(_same_all_day(when) for when in self.run), open=True)

    @property
    def other(self) -> "Pass | None":
        """Of all who have the same keys in the other part."""
        if self.part.also is None or self.also is None:
            return None
        return replace(self, part=self.part.also, level="company", units=None, fact=self.also, also=None)

    def told(self) -> dict[str, Any]:
        """What was left open."""
        windows = {part.part.window for part in (self.part, self.part.also) if part is not None}
        cuts = {_until(window): self._last_instant(window) for window in windows}
        return cuts if self.units is None else {**cuts, _UNIT: next(iter(self.units))}

    def _last_instant(self, window: Window) -> int:
        """Until when rows of a window count."""
        last = window_of(window, self.when.days).last
        return min(end_of_day(epoch_day(last), self.when.zone), self.when.cut_ms)

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
                return whole(number)
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
            right = whole(epoch_day(self.when.days.first))
        elif condition.right == "period.last":
            right = whole(epoch_day(self.when.days.last))
        else:
            right = self.value(condition.right)
        both = and_(left.is_not(None), right.is_not(None))
        limit = right + whole(condition.plus) if condition.plus else right
        return and_(both, left.op(condition.comparison, is_comparison=True)(limit))

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
        name = self.part.part.window
        until = bindparam(_until(name), None, BigInteger()) if self.open else None
        return [self._between(typed.operand, end_of_day(first - 1, zone) + 1, self._last_instant(name), until)]

    def _between(self, operand: Operand, first: int, last: int, until: Column | None = None) -> Column:
        """A date from ``first`` to ``last``, both inclusive, asked of columns as they are kept: indexes serve.

        ``until`` is ``last`` where that is left open.
        """
        match operand:
            case Field(name) if name in self.fact.days:
                return self.fact.days[name].between(day_after_epoch(first), day_after_epoch(last))
            case EndOf(name):
                zone = self.when.zone
                days = epoch_day(local_day(first, zone)), epoch_day(local_day(last + 1, zone)) - 1
                return self._between(Field(name), *days)
            case FirstSet(options) if not all(isinstance(option, Field) for option in options):
                ways, earlier = [], list[Column]()
                for option in fields_as_one(options):
                    ways.append(and_(*earlier, self._between(option, first, last, until)))
                    earlier.append(self.value(option).is_(None))
                return or_(*ways)
            case _:
                return self.value(operand).between(first, last if until is None else until)

    def key(self) -> Column:
        """The key of a row as one text; null when a part of it is."""
        pieces = [_text(self.value(operand)) for operand in self.part.distinct]
        joint: Column = pieces[0]
        for piece in pieces[1:]:
            joint = joint + JOINT + piece
        return joint

    def apart(self) -> Column:
        """What keeps the key of a row apart from those of others, as one text, never null."""
        pieces = [func.coalesce(_text(self.value(operand)), "") for operand in self.part.apart]
        joint: Column = pieces[0] if pieces else literal("", Text())
        for piece in pieces[1:]:
            joint = joint + JOINT + piece
        return joint

    def rows(self, *columns: Column, before: bool = False, chosen: bool = True) -> Select[Any]:
        """Those columns of the rows with their ``unit``, in the window and with ``chosen`` meeting ``where``."""
        unit, source = self.units_of_rows()
        place = [term.label("nth_period") for term in self.place()]
        wanted = select(unit.label("unit"), *place, *columns).select_from(source).where(unit.is_not(None))
        if self.units is not None:
            wanted = wanted.where(unit == bindparam(_UNIT, None, Text()) if self.open else unit.in_(sorted(self.units)))
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


def fields_as_one(options: Sequence[Operand]) -> Iterator[Operand]:
    """Fields that follow each other as the first of them that is set: an index is over all of them."""
    for plain, group in groupby(options, lambda option: isinstance(option, Field)):
        some = tuple(group)
        if plain and len(some) > 1:
            yield FirstSet(some)
        else:
            yield from some


def _until(window: Window) -> str:
    return f"until_{window}"


def _same_all_day(when: When) -> When:
    """The cut at midnight, where that makes no other difference than in the instants that are left open."""
    day, following = (epoch_day(local_day(at_ms, when.zone)) for at_ms in (when.cut_ms, when.cut_ms + 1))
    if following != day:
        return when
    return replace(when, cut_ms=end_of_day(min(day - 1, epoch_day(when.days.last)), when.zone) + 1)


def _text(column: Column) -> Column:
    return column if isinstance(column.type, Text) else cast(column, Text())
