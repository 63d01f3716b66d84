"""Counting parts of indicators: one pass for all parts that read the same rows by the same date.

The same statements run on SQLite and PostgreSQL and over the lake, and give the same whole numbers as
``server/scoring/plain.py``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Select, and_, case, func, literal, true

from server.scoring.formula import EndOf, Field, FirstSet, Typed
from server.scoring.indicator import Level
from server.scoring.part import Heads, ReadPart, without_also
from server.scoring.plain import When
from server.scoring.where import AnyOf, Compared, Condition, Empty
from server.scoring.window import Days, epoch_day, month_number, window_of
from server.store.counted_facts import counted_fact
from server.store.counted_pass import Pass, fields_as_one
from server.store.counted_ways import way_of
from server.store.counting_executor import MONTHS_OF_YEAR, Asked, Executor, Found


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
    wanted = dict.fromkeys(parts)
    told_beside = {without_also(one.part) for one in wanted if one.also is not None}
    found: dict[When, Found] = {when: {one.part: {} for one in wanted} for when in in_order}
    passes: dict[tuple[object, ...], tuple[tuple[When, ...], list[ReadPart]]] = {}
    for one in wanted:
        if one.part in told_beside:
            continue
        months = executor.months_at_once(one.part)
        for piece in _pieces(one) if executor.seeks and units is not None else [one]:
            for run in runs(piece, in_order, months):
                rows = piece.part.fact, piece.date, piece.part.window, piece.person
                shared = rows if _is_plain(piece, executor) else piece
                passes.setdefault((shared, run), (run, []))[1].append(piece)
    asked: list[Asked] = []
    for run, group in passes.values():
        also = group[0].also
        other = None if also is None else executor.fact(also, run)
        own = Pass(group[0], level, units, run, executor.fact(group[0], run), other)
        asked.append((way_of(group, together=_is_plain(group[0], executor)), own))
    async for (way, own), answers in executor.rows(asked):
        way.take(own, answers, found)
    return found


def runs(part: ReadPart, whens: Iterable[When], months: int = MONTHS_OF_YEAR) -> Iterator[tuple[When, ...]]:
    """Periods, in order, of which a row of a part counts in one at most, so that one statement tells them apart.

    None is longer than so many months.
    """
    run: list[When] = []
    for when in whens:
        if run and (not _follows(part, run[-1], when) or Days(run[0].days.first, when.days.last).months > months):
            yield tuple(run)
            run = []
        run.append(when)
    if run:
        yield tuple(run)


def _pieces(part: ReadPart) -> Iterator[ReadPart]:
    """Parts that have its rows between them, each dated by what an index is over; only where their counts add up."""
    date, own = part.date, part.part
    options = date.operand.options if date is not None and isinstance(date.operand, FirstSet) else ()
    adds_up = not (own.distinct or own.percentile or own.rating or own.stock)
    if date is None or not adds_up or not all(isinstance(option, Field | EndOf) for option in options):
        yield part
        return
    earlier: tuple[Condition, ...] = ()
    for option in fields_as_one(options or (date.operand,)):
        yield replace(part, date=Typed(option, date.kind), where=(*part.where, *earlier))
        names = option.options if isinstance(option, FirstSet) else (option,)
        earlier += tuple(Empty(one.name, wanted=True) for one in names if isinstance(one, Field | EndOf))


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


def listed(part: ReadPart, level: Level, unit: str, when: When, fields: Sequence[str]) -> Select[Any]:
    """Rows of a unit that a part looks at, oldest first: ``source``, ``source_key``, ``at``, ``counts``, and fields.

    ``at`` is as the part's date, ``counts`` whether the row is good.
    """
    fact = counted_fact(part.part.fact, when.days.months, when.zone, when.days.last.year)
    own = Pass(part, level, [unit], (when,), fact)
    good = case((and_(true(), *(own.holds(condition) for condition in part.good)), 1), else_=0)
    keys = [own.fact.fields[name].label(name) for name in ("source", "source_key")]
    at = literal(None, BigInteger) if own.date is None else own.date
    further = [own.fact.fields[name].label(name) for name in fields]
    rows = own.rows(*keys, at.label("at"), good.label("counts"), *further)
    return rows.order_by("at", "source", "source_key")


def latest(part: ReadPart, day: str, run: Sequence[When]) -> Select[Any]:
    """The latest value of a day among the rows that a part looks at, of anybody, by ``nth_period`` of a run, from 0."""
    when = run[-1]
    fact = counted_fact(part.part.fact, when.days.months, when.zone, when.days.last.year)
    own = Pass(part, "company", None, tuple(run), fact)
    place = [literal(0).label("nth_period")] if len(run) == 1 else []
    return own.rows(*place, func.max(own.fact.days[day]).label("latest")).group_by(*own.cell)


def _is_plain(part: ReadPart, executor: Executor) -> bool:
    own = part.part
    if isinstance(own, Heads):
        return False
    return not (own.first or own.days or own.also or own.stock or own.rating or (own.percentile and not executor.ranks))
