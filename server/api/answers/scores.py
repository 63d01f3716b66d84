"""Scorecards with everything that made each number, and the rows behind it. Numbers become text here, once rounded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.api.answers.names import PositionNames, position_names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.scores import (
    BesideView,
    CurvePointView,
    IndicatorScoreView,
    ScorecardView,
    ScoreProgressView,
    ScoreSegmentView,
    SourceRowsView,
    SourceRowView,
)
from server.attendance.calendar import PLAIN
from server.scoring.catalogue import Catalogue
from server.scoring.family import final_on, is_flow
from server.scoring.indicator import Indicator
from server.scoring.lineage import Lineage
from server.scoring.numbers import CENTI, MICRO, decimal_text
from server.scoring.progress import progress, rating_text
from server.scoring.scorecard import grade
from server.scoring.small_groups import is_of_people, tells_of_few
from server.scoring.window import days_of
from server.services.behind import rows_behind
from server.services.endings import endings
from server.services.scheme_rules import catalogue_in_force
from server.services.sources import lookback_days
from server.store import change_queries, page_queries, period_queries, score_queries, segment_queries
from server.store.calendar_queries import calendars_of_sites
from server.store.company_zone import company_zone
from server.store.page_queries import PersonRow
from server.store.score_queries import ScorecardRow, ScoreRow, UnitNames
from server.store.segment_queries import SegmentRow
from shared.clock import from_ms

WEIGHT_PLACES = 4
RATING = "1-5"


async def scorecard(context: Context, scope: Scope, employee: str, period: str | None) -> ScorecardView:
    """A person's score, with status ``none`` where nothing was scored; NotFoundError outside the scope."""
    async with context.db.reading() as connection:
        person = await page_queries.person(connection, scope, employee)
        if person is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        version = await change_queries.newest_change(connection, f"employee:{employee}")
        card = await score_queries.scorecard(connection, scope, employee, period)
        if card is not None:
            about = await _about(connection, context, card.period)
            segments = await segment_queries.segments_of(connection, scope, card.period, {employee})
            view = _card(card, version, about, segments.get(employee, ()))
            closed = await period_queries.newest(connection, [(employee, card.period)], pay=False)
            return view.model_copy(update={"grade": closed[0].grade}) if closed else view
        newest = await score_queries.scorecard(connection, scope, employee)
    this_month = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).strftime("%Y-%m")
    return _nothing(person, period or this_month, newest.periods if newest else (), version)


async def source_rows(
    context: Context,
    scope: Scope,
    employee: str,
    period: str,
    indicator: str,
    *,
    page: Page,
    segment: int | None = None,
) -> SourceRowsView:
    """The rows one score was counted from; NotFoundError where there is none in scope."""
    async with context.db.reading() as connection:
        found = await rows_behind(
            connection, scope, employee, period, indicator, limit=page.limit, offset=page.offset, segment=segment
        )
    if found is None:
        raise NotFoundError(f"employee {employee!r} has no score {indicator!r} in {period} in scope")
    total, rows = found
    views = [SourceRowView.model_validate(row) for row in rows]
    return SourceRowsView(indicator=indicator, period=period, total=total, rows=views)


@dataclass(frozen=True, slots=True)
class _About:
    """What a card is shown with."""

    names: UnitNames
    working_days: Sequence[date]
    """Of the month, by the company's calendar."""
    today: date
    catalogue: Catalogue
    lookback: Mapping[str, int]
    """Days by fact, as ``lookback_days`` gives them."""
    ends: Mapping[str, date]
    """By indicator, as ``endings`` gives them."""
    position: PositionNames


async def _about(connection: AsyncConnection, context: Context, period: str) -> _About:
    calendars, days = await calendars_of_sites(connection), days_of(period)
    calendar = calendars[min(calendars)] if calendars else PLAIN
    all_days = (days.first + timedelta(days=number) for number in range(days.number))
    catalogue, zone = await catalogue_in_force(connection), await company_zone(connection)
    return _About(
        await score_queries.unit_names(connection),
        [day for day in all_days if calendar.type_of(day) == "workday"],
        from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).date(),
        catalogue,
        await lookback_days(connection),
        await endings(connection, catalogue.indicators, days, zone),
        await position_names(connection),
    )


def _card(card: ScorecardRow, version: int, about: _About, segments: Sequence[SegmentRow]) -> ScorecardView:
    part, whole = card.coverage
    return ScorecardView(
        employee=card.employee,
        name=card.name,
        department=card.department,
        period=card.period,
        periods=list(card.periods),
        status="none" if card.status not in ("scored", "insufficient_data") else card.status,
        total=None if card.total is None else decimal_text(Fraction(card.total, CENTI)),
        grade=None if card.total is None else grade(card.total),
        coverage_pct=decimal_text(Fraction(100 * part, whole) if whole else Fraction(0)),
        indicators=list(_indicators(segments[-1].scores if segments else card.scores, about)),
        segments=[_segment(one, about) for one in segments],
        version=version,
    )


def _nothing(person: PersonRow, period: str, periods: tuple[str, ...], version: int) -> ScorecardView:
    return ScorecardView(
        employee=person.id,
        name=person.name,
        department=person.department,
        period=period,
        periods=list(periods),
        status="none",
        total=None,
        grade=None,
        coverage_pct=decimal_text(Fraction(0)),
        indicators=[],
        version=version,
    )


def _segment(one: SegmentRow, about: _About) -> ScoreSegmentView:
    return ScoreSegmentView(
        first=one.first,
        last=one.last,
        days=(one.last - one.first).days + 1,
        department=one.department,
        position=one.position,
        position_name=about.position(one.position),
        total=None if one.mean.points is None else decimal_text(one.mean.points),
        coverage_pct=decimal_text(100 * one.mean.coverage),
        indicators=list(_indicators(one.scores, about)),
    )


def _indicators(rows: Sequence[ScoreRow], about: _About) -> Iterator[IndicatorScoreView]:
    """One view a row; a definition that is no longer in the catalogue has no names to show and is left out."""
    for row in rows:
        definition = about.catalogue.version(row.indicator, row.lineage.rule_version)
        if definition is not None:
            yield _indicator(_unless_few(row, definition), definition, about)


def _unless_few(row: ScoreRow, definition: Indicator) -> ScoreRow:
    """Without the figures of a small group in a card that was closed before such groups were left out."""
    if not (is_of_people(definition) and tells_of_few(row.sample)):
        return row
    bare = msgspec.structs.replace(row.lineage, numerator=0, denominator=0, value=None, beside={}, input_hash="")
    return replace(row, sample=0, points=None, no_score="few_people", lineage=bare)


def _indicator(row: ScoreRow, definition: Indicator, about: _About) -> IndicatorScoreView:
    lineage = row.lineage
    weight, whole = lineage.weight
    name_zh, name_en = about.names.get((lineage.query.level, lineage.query.unit), (None, None))
    last = lineage.query.last
    settled_on = (
        None if about.today <= last else final_on(definition, last, about.lookback, about.ends.get(row.indicator))
    )
    return IndicatorScoreView(
        id=row.indicator,
        name_zh=definition.name_zh,
        name_en=definition.name_en,
        unit=definition.unit,
        better=definition.better,
        weight=decimal_text(Fraction(100 * weight, whole), WEIGHT_PLACES),
        target=lineage.target or definition.target,
        value=None if lineage.value is None else decimal_text(Fraction(lineage.value), definition.places),
        numerator=lineage.numerator,
        denominator=lineage.denominator,
        sample=row.sample,
        min_sample=definition.min_sample,
        points=None if row.points is None else decimal_text(Fraction(row.points, MICRO)),
        beside=list(_beside(lineage, definition)),
        pair=definition.pair,
        state="running" if settled_on is None else "final" if about.today >= settled_on else "provisional",
        final_on=settled_on,
        progress=_progress(lineage, definition, about),
        rating=None if lineage.value is None or definition.unit != RATING else rating_text(Fraction(lineage.value)),
        no_score=row.no_score,
        level=lineage.query.level,
        unit_of=lineage.query.unit,
        unit_name_zh=name_zh,
        unit_name_en=name_en,
        curve=list(_corners(definition, lineage.target)),
        rule_version=lineage.rule_version,
        watermark_ms=lineage.watermarks.get("cut_ms"),
        input_hash=lineage.input_hash,
        computed_ms=row.computed_ms,
    )


def _beside(lineage: Lineage, definition: Indicator) -> Iterator[BesideView]:
    for one in definition.beside:
        if (value := lineage.beside.get(one.id)) is not None:
            text = decimal_text(Fraction(value), definition.places)
            yield BesideView(id=one.id, name_zh=one.name_zh, name_en=one.name_en, value=text)


def _progress(lineage: Lineage, definition: Indicator, about: _About) -> ScoreProgressView | None:
    target = lineage.target or definition.target
    if not is_flow(definition) or lineage.value is None or target is None:
        return None
    found = progress(Fraction(lineage.value), Fraction(target), about.working_days, about.today)
    return None if found is None else ScoreProgressView.model_validate(found)


def _corners(definition: Indicator, target: str | None) -> Iterator[CurvePointView]:
    """Corners of the curve over the value itself; a curve over value / target is stretched by the target."""
    line = definition.line_to(target or definition.target or "1")
    stretch = line.target or Fraction(1) if line.kind.startswith("ratio") else Fraction(1)
    points = line.points or ((Fraction(0), Fraction(0)), (line.cap / 100, line.cap))
    for value, worth in points:
        yield CurvePointView(value=decimal_text(value * stretch), points=decimal_text(worth))
