"""Scores: the rows they are computed from, what they came to, and who may see both.

A number and the list of rows behind it come from one statement, so that they can not disagree.
"""

import asyncio
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    null,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningDelete

from server.access.scope import Scope
from server.people.person import Post as PostOnRecord
from server.scoring.lineage import Lineage
from server.store.json_text import columns_as_text
from server.store.people_tables import posts as posts_table
from server.store.period_tables import closed_cards
from server.store.ready import Rows, run, upsert
from server.store.scope_filter import Narrow, narrowed, visible
from server.store.tables import departments, employees, scorecards, scores, sites, touched_scores
from server.store.upsert import insert_into
from shared.clock import WallMs

ROWS = 5_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""

_OWN = ":own"
"""After the name of a fact of which only the person's own rows changed."""

UnitNames: TypeAlias = Mapping[tuple[str, str], tuple[str, str]]
"""Chinese and English name by level and id."""
Card: TypeAlias = tuple[str, str]
"""Employee and period (YYYY-MM)."""


@dataclass(frozen=True, slots=True)
class TouchedCard:
    """A scorecard to be computed, and the touch that asked for it."""

    employee: str
    period: str
    mark: int
    facts: frozenset[str] | None = None
    """What changed; None when it may be anything."""
    own: frozenset[str] = frozenset()
    """Facts of which the person's own rows changed; what their units have of them is counted less often."""
    closed: bool = False
    stored: Mapping[str, "ScoreRow"] = field(default_factory=dict)
    """Its scores by indicator where it is told what changed: some of them may stay."""


@dataclass(frozen=True, slots=True)
class Post:
    """What decides a person's weights, and where their days begin."""

    position: str
    joined_on: date
    left_on: date | None
    site: str
    departments: tuple[str, ...]
    """The person's own and all above it."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One stored indicator score; ``points`` in millionths, None with a reason in ``no_score``."""

    indicator: str
    sample: int
    points: int | None
    no_score: str | None
    lineage: Lineage
    computed_ms: WallMs


@dataclass(frozen=True, slots=True)
class ScorecardRow:
    """One stored scorecard; ``total`` in hundredths of a point, None while data is insufficient."""

    employee: str
    name: str
    department: str
    period: str
    periods: tuple[str, ...]
    """Periods with scores, newest first."""
    status: str
    total: int | None
    coverage: tuple[int, int]
    computed_ms: WallMs
    scores: tuple[ScoreRow, ...]
    """Heaviest first."""


# --- asking for scores ----------------------------------------------------------------------------------------------


async def touch_scores(
    connection: AsyncConnection, pairs: Iterable[Card], facts: Collection[str] | None = None, *, own: bool = False
) -> None:
    """Ask for the scores of these (employee, YYYY-MM) to be computed again: those that read ``facts``, or all.

    With ``own`` rows of these people changed and only those are counted again: somebody else has to ask for what
    their units have. Comes after ``touch_days`` and before ``note_changes``; row order and marks are as there.
    """
    wanted = sorted(set(pairs))
    mark = secrets.randbits(62)
    told = None if facts is None else " ".join(f"{fact}{_OWN}" if own else fact for fact in sorted(facts))
    for start in range(0, len(wanted), ROWS):
        rows = [{"employee": e, "period": p, "mark": mark, "facts": told} for e, p in wanted[start : start + ROWS]]
        statement = insert_into(connection, touched_scores).values(rows)
        changed = {"mark": statement.excluded.mark, "facts": _with_those_before(told)}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "period"], set_=changed))


def _with_those_before(told: str | None) -> ColumnElement[Any]:
    """Facts of a card that waits already with some more; all stay all."""
    before = touched_scores.c.facts
    if told is None:
        return null()
    known = (" " + before + " ").contains(f" {told} ", autoescape=True)
    return case((before.is_(None), None), (known, before), else_=before + f" {told}")


async def touched(connection: AsyncConnection, limit: int) -> list[TouchedCard]:
    """Scorecards that wait, by period and employee; first those that somebody waits for, whose own rows changed."""
    found = []
    rows = await run(connection, _touched, limit=limit)
    for (employee, period), same in groupby(rows, key=lambda row: (row.employee, row.period)):
        own = list(same)
        stored = {row.indicator: _score(row) for row in own if row.indicator is not None}
        facts = _facts_told(own[0].facts)
        card = TouchedCard(employee, period, own[0].mark, *facts, closed=bool(own[0].newest), stored=stored)
        found.append(card)
    return found


def _touched() -> Select[Any]:
    table, done = touched_scores.c, closed_cards.c
    same = and_(done.employee == table.employee, done.period == table.period, done.newest)
    own = case((table.facts.like(f"%{_OWN}"), 0), else_=1).label("own")
    waiting = select(table.employee, table.period, table.mark, table.facts, done.newest, own)
    waiting = waiting.select_from(touched_scores.outerjoin(closed_cards, same))
    first = waiting.order_by(own, table.period, table.employee).limit(bindparam("limit", None, Integer)).subquery()
    its = and_(scores.c.employee == first.c.employee, scores.c.period == first.c.period, first.c.facts.is_not(None))
    card = (first.c.employee, first.c.period, first.c.mark, first.c.facts, first.c.newest)
    stored = (scores.c[name] for name in ("indicator", "sample", "score_micro", "no_score", "lineage", "computed_ms"))
    both = select(*card, *stored).select_from(first.outerjoin(scores, its))
    return both.order_by(first.c.own, first.c.period, first.c.employee)


def _facts_told(told: str | None) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Facts that changed anywhere, and those of which only rows of the person did."""
    if told is None:
        return None, frozenset()
    words = frozenset(told.split())
    own = frozenset(word.removesuffix(_OWN) for word in words if word.endswith(_OWN))
    facts = frozenset(word for word in words if not word.endswith(_OWN))
    return facts, own - facts


async def claim(connection: AsyncConnection, computed: Sequence[TouchedCard]) -> dict[Card, bool]:
    """Those cards whose touch is still the one that was computed, and whether each is closed: they wait no more.

    Others are not to be stored.
    """
    if len(computed) == 1 and connection.dialect.name == "postgresql":  # RETURNING names no tables on SQLite
        [one] = computed
        gone = await run(connection, _claim, employee=one.employee, period=one.period, mark=one.mark)
        return {(row.employee, row.period): bool(row.closed) for row in gone}
    key = tuple_(touched_scores.c.employee, touched_scores.c.period, touched_scores.c.mark)
    same = key.in_([(row.employee, row.period, row.mark) for row in computed])
    in_order = select(*_claimed()).where(same).order_by(touched_scores.c.employee, touched_scores.c.period)
    rows = await connection.execute(in_order.with_for_update(of=touched_scores))
    cards = {(row.employee, row.period): bool(row.closed) for row in rows}
    await connection.execute(delete(touched_scores).where(same))
    return cards


def _claim() -> ReturningDelete[Any, Any]:
    table = touched_scores.c
    same = (column == bindparam(column.name, None) for column in (table.employee, table.period, table.mark))
    return delete(touched_scores).where(*same).returning(*_claimed())


def _claimed() -> list[ColumnElement[Any]]:
    table, done = touched_scores.c, closed_cards.c
    same = (done.employee == table.employee, done.period == table.period, done.newest)
    closed = select(done.period).where(*same).correlate(touched_scores).exists()
    return [table.employee, table.period, closed.label("closed")]


# --- what is counted ------------------------------------------------------------------------------------------------


async def posts(
    connection: AsyncConnection, people: Collection[str], above: Mapping[str, str | None]
) -> tuple[dict[str, Post], dict[str, tuple[PostOnRecord, ...]]]:
    """Post of each of these people, and their posts by date; who has none on record is left out of these.

    ``above`` has the department above each.
    """
    rows: Iterable[Row[Any]]
    if len(people) == 1:
        rows = await run(connection, _posts_of_one, person=next(iter(people)))
    else:
        rows = await connection.execute(_posts().where(employees.c.id.in_(sorted(people))))
    now: dict[str, Post] = {}
    had: dict[str, tuple[PostOnRecord, ...]] = {}
    for row in rows:
        now[row.id] = _post(row, above)
        if row.had_from_on is not None:
            one = PostOnRecord(_day(row.had_from_on), row.had_department, row.had_site, row.had_position)
            had[row.id] = (*had.get(row.id, ()), one)
    return now, had


def _day(value: date | str) -> date:
    """SQLite's driver gives a text."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def _posts() -> Select[Any]:
    on_record = [posts_table.c[name].label(f"had_{name}") for name in ("from_on", "department", "site", "position")]
    joined = employees.outerjoin(posts_table, posts_table.c.employee == employees.c.id)
    return select(*_post_columns(), *on_record).select_from(joined).order_by(employees.c.id, posts_table.c.from_on)


def _posts_of_one() -> Select[Any]:
    return _posts().where(employees.c.id == bindparam("person", None))


async def everybody(connection: AsyncConnection) -> dict[str, Post]:
    """Everybody's post."""
    above = await departments_above(connection)
    return {row.id: _post(row, above) for row in await connection.execute(select(*_post_columns()))}


async def departments_above(connection: AsyncConnection) -> dict[str, str | None]:
    """The department above each."""
    return {row.id: row.parent for row in await connection.execute(select(departments.c.id, departments.c.parent))}


def _post_columns() -> list[ColumnElement[Any]]:
    return [employees.c[name] for name in ("id", "position", "joined_on", "left_on", "site", "department")]


def _post(row: Row[Any], above: Mapping[str, str | None]) -> Post:
    left_on = None if row.left_on is None else _day(row.left_on)
    return Post(row.position, _day(row.joined_on), left_on, row.site, tuple(upwards(row.department, above)))


def upwards(department: str | None, above: Mapping[str, str | None]) -> Iterator[str]:
    """A department and all above it."""
    while department is not None:
        yield department
        department = above.get(department)


@dataclass(frozen=True, slots=True)
class NewCard:
    """A scorecard as it is to be stored: total in hundredths of a point, and scores."""

    status: str
    total: int | None
    coverage: tuple[int, int]
    rows: Sequence[ScoreRow]
    others_stay: bool
    """Whether scores of the card that are not in ``rows`` are kept; without, they go."""


async def put_cards(connection: AsyncConnection, cards: Mapping[Card, NewCard], at_ms: WallMs) -> None:
    """Store these cards in place of the former ones."""
    await _delete(connection, scores, [card for card, new in cards.items() if not new.others_stay])
    values = [_values(card, row) for card, new in sorted(cards.items()) for row in new.rows]
    heads = []
    for (employee, period), new in sorted(cards.items()):
        head: dict[str, Any] = {"employee": employee, "period": period, "status": new.status, "total_centi": new.total}
        heads.append(head | {"coverage_num": new.coverage[0], "coverage_den": new.coverage[1], "computed_ms": at_ms})
    await upsert(
        connection,
        Rows(scores, ("employee", "period", "indicator"), values),
        Rows(scorecards, ("employee", "period"), heads),
    )


async def remove_cards(connection: AsyncConnection, cards: Collection[Card]) -> None:
    """Take out cards of people who were not here in the period."""
    for table in (scores, scorecards):
        await _delete(connection, table, cards)


async def _delete(connection: AsyncConnection, table: Table, cards: Collection[Card]) -> None:
    if cards:
        await connection.execute(delete(table).where(tuple_(table.c.employee, table.c.period).in_(sorted(cards))))


async def cards_since(connection: AsyncConnection, period: str) -> list[Card]:
    """Scorecards of a period and all after it."""
    rows = await connection.execute(
        select(scorecards.c.employee, scorecards.c.period).where(scorecards.c.period >= period)
    )
    return [(row.employee, row.period) for row in rows]


# --- who may see them -----------------------------------------------------------------------------------------------


async def scorecard(
    connection: AsyncConnection, scope: Scope, employee: str, period: str | None = None
) -> ScorecardRow | None:
    """A person's scorecard of a period (YYYY-MM), the newest without one; None when there is none in scope."""
    joined = scorecards.join(employees, employees.c.id == scorecards.c.employee)
    mine = (scorecards.c.employee == employee, visible(scope))
    periods = select(scorecards.c.period).select_from(joined).where(*mine).order_by(scorecards.c.period.desc())
    known = tuple(await connection.scalars(periods))
    if not known or (period is not None and period not in known):
        return None
    wanted = period or known[0]
    head = select(scorecards, employees.c.name, employees.c.department).select_from(joined)
    card = (await connection.execute(head.where(*mine, scorecards.c.period == wanted))).one()
    found = await connection.execute(select(scores).where(scores.c.employee == employee, scores.c.period == wanted))
    rows = sorted((_score(row) for row in found), key=lambda row: (-row.lineage.weight[0], row.indicator))
    return ScorecardRow(
        employee=employee,
        name=card.name,
        department=card.department,
        period=wanted,
        periods=known,
        status=card.status,
        total=card.total_centi,
        coverage=(card.coverage_num, card.coverage_den),
        computed_ms=card.computed_ms,
        scores=tuple(rows),
    )


async def score_rows(
    connection: AsyncConnection, scope: Scope, period: str, people: Collection[str] | None = None
) -> dict[str, tuple[ScoreRow, ...]]:
    """Scores of a period by person, of everybody in scope or of some of them."""
    joined = scores.join(employees, employees.c.id == scores.c.employee)
    wanted = select(*columns_as_text(scores)).select_from(joined).where(scores.c.period == period, visible(scope))
    if people is not None:
        wanted = wanted.where(scores.c.employee.in_(sorted(people)))
    rows = await connection.execute(wanted.order_by(scores.c.employee, scores.c.indicator))
    return await asyncio.to_thread(scores_by_person, rows.all())  # meanwhile people's pages are answered


def scores_by_person(rows: Iterable[Row[Any]]) -> dict[str, tuple[ScoreRow, ...]]:
    """Stored scores, by person in the order of the rows."""
    found: dict[str, list[ScoreRow]] = {}
    for row in rows:
        found.setdefault(row.employee, []).append(_score(row))
    return {employee: tuple(own) for employee, own in found.items()}


async def unit_names(connection: AsyncConnection) -> UnitNames:
    """Names of all sites and departments: who is scored by a unit's value is told whose it is."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for level, table in (("site", sites), ("department", departments)):
        for row in await connection.execute(select(table.c.id, table.c.name_zh, table.c.name_en)):
            found[level, row.id] = row.name_zh, row.name_en
    return found


@dataclass(frozen=True, slots=True)
class Ranked:
    """A person's place in a month; ``total`` in hundredths of a point, None while data is insufficient."""

    rank: int | None
    employee: str
    name: str
    department: str
    position: str
    total: int | None
    coverage: tuple[int, int]
    final: int | None
    """Of a closed period, after calibration and veto; the rank goes by it."""
    adjustment: int
    veto_cap: int | None
    closed: bool


async def months_with_scores(connection: AsyncConnection, scope: Scope) -> list[str]:
    """Months with scorecards in scope, newest first."""
    joined = scorecards.join(employees, employees.c.id == scorecards.c.employee)
    months = select(scorecards.c.period).select_from(joined).where(visible(scope)).distinct()
    return list(await connection.scalars(months.order_by(scorecards.c.period.desc())))


async def ranking(connection: AsyncConnection, scope: Scope, period: str, narrow: Narrow) -> list[Ranked]:
    """Everybody in scope with a scorecard of the month, best first; those without a total last."""
    card, person = scorecards.c, employees.c
    done = closed_cards.c
    same = and_(done.employee == card.employee, done.period == card.period, done.newest)
    counts = case((done.newest, done.final_centi), else_=card.total_centi)
    order = [counts.is_(None), counts.desc()]  # databases disagree on where nothing sorts
    place = func.rank().over(order_by=order)
    columns = (card.employee, person.name, person.department, person.position, card.total_centi)
    judged = (done.final_centi, done.adjustment_centi, done.veto_cap_centi, done.newest)
    wanted = (
        select(place.label("place"), *columns, card.coverage_num, card.coverage_den, *judged)
        .select_from(scorecards.join(employees, person.id == card.employee).outerjoin(closed_cards, same))
        .where(card.period == period, *narrowed(scope, narrow))
        .order_by(*order, card.employee)
    )
    return [
        Ranked(
            row.place if (row.final_centi if row.newest else row.total_centi) is not None else None,
            row.employee,
            row.name,
            row.department,
            row.position,
            row.total_centi,
            (row.coverage_num, row.coverage_den),
            row.final_centi,
            row.adjustment_centi or 0,
            row.veto_cap_centi,
            bool(row.newest),
        )
        for row in await connection.execute(wanted)
    ]


async def lineage_of(
    connection: AsyncConnection, scope: Scope, employee: str, period: str, indicator: str
) -> Lineage | None:
    """What a score was made of; None without such a score in scope."""
    joined = scores.join(employees, employees.c.id == scores.c.employee)
    mine = (scores.c.employee == employee, scores.c.period == period, scores.c.indicator == indicator)
    kept = await connection.scalar(select(scores.c.lineage).select_from(joined).where(*mine, visible(scope)))
    return None if kept is None else msgspec.convert(kept, Lineage)


def _values(card: Card, row: ScoreRow) -> dict[str, Any]:
    return {
        "employee": card[0],
        "period": card[1],
        "indicator": row.indicator,
        "value_num": row.lineage.numerator,
        "value_den": row.lineage.denominator,
        "sample": row.sample,
        "score_micro": row.points,
        "no_score": row.no_score,
        "lineage": msgspec.json.encode(row.lineage).decode(),
        "computed_ms": row.computed_ms,
    }


def _score(row: Row[Any]) -> ScoreRow:
    told = row.lineage
    lineage = msgspec.json.decode(told, type=Lineage) if isinstance(told, str) else msgspec.convert(told, Lineage)
    return ScoreRow(row.indicator, row.sample, row.score_micro, row.no_score, lineage, row.computed_ms)
