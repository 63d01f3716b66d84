"""Series, forecasts and correlations of a unit, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.viewer import Viewer
from server.analytics.correlation import LEAST, Lagged, Pair
from server.analytics.extra import ExtraMissingError
from server.analytics.forecast import LEVEL_PCT, Ahead
from server.analytics.grain import MOST, Grain, Span
from server.api.answers.names import names
from server.api.context import Context
from server.api.views.base import NameView
from server.api.views.trends import (
    CorrelationsView,
    CorrelationView,
    LaggedView,
    SuggestionView,
    TrendAheadView,
    TrendChoiceView,
    TrendForecastView,
    TrendPointView,
    TrendSeriesView,
    TrendsView,
)
from server.scoring.indicator import Indicator
from server.scoring.numbers import decimal_text
from server.services import trend_correlations, trend_forecasts, trends
from server.services.trend_basis import Wanted
from server.services.trend_forecasts import Told
from server.services.trends import Series
from server.store import page_queries, people_queries


async def series(context: Context, viewer: Viewer, wanted: Wanted) -> TrendsView:
    """Without a unit that of the first department in scope."""
    async with context.db.reading() as connection:
        asked = await _with_unit(connection, viewer, wanted)
        found = await trends.series_of(connection, viewer.scope, asked, context.clocks.wall_ms())
        departments = await people_queries.department_names(connection, viewer.scope)
        everyone = viewer.scope.everyone
        sites = await people_queries.site_names(connection, viewer.scope) if everyone else []
        own = await page_queries.person(connection, viewer.scope, asked.unit) if asked.level == "person" else None
    told = await _forecasts(found.series, asked.grain)
    return TrendsView(
        level=asked.level,
        unit=asked.unit,
        unit_name=None if own is None else own.name,
        grain=asked.grain,
        most=MOST[asked.grain],
        first=found.spans[0].first,
        last=found.spans[-1].last,
        series=[_series(one, told[one.indicator.id]) for one in found.series],
        left_out=list(found.left_out),
        choices=[
            TrendChoiceView(**_name(one.indicator).model_dump(), weight=one.weight, whole_months=one.whole_months)
            for one in found.choices
        ],
        departments=names(departments),
        sites=names(sites),
    )


async def correlations(context: Context, viewer: Viewer, wanted: Wanted, *, plain: bool) -> CorrelationsView:
    """Without a unit that of the first department in scope."""
    async with context.db.reading() as connection:
        asked = await _with_unit(connection, viewer, wanted)
        now_ms = context.clocks.wall_ms()
        found = await trend_correlations.correlations(connection, viewer.scope, asked, now_ms, plain=plain)
    return CorrelationsView(
        first=found.spans[0].first,
        last=found.spans[-1].last,
        changes=not plain,
        least=LEAST,
        tested=found.tested,
        indicators=[_name(one) for one in found.indicators],
        pairs=[_pair(one) for one in found.pairs],
        suggestions=[
            SuggestionView(main=_name(one.main), other=_name(one.indicator), best=_lagged(one.pair.best))
            for one in found.suggestions
        ],
        left_out=list(found.left_out),
    )


async def _with_unit(connection: AsyncConnection, viewer: Viewer, wanted: Wanted) -> Wanted:
    if wanted.unit:
        return wanted
    departments = await people_queries.department_names(connection, viewer.scope)
    if not departments:
        raise NotFoundError(f"{viewer.login} sees no department")
    return replace(wanted, level="department", unit=departments[0].id)


async def _forecasts(found: Sequence[Series], grain: Grain) -> dict[str, Told | None]:
    """None for each where the libraries are missing: the lines are there without them."""
    try:
        return dict(await trend_forecasts.forecasts(found, grain))
    except ExtraMissingError:
        return {one.indicator.id: None for one in found}


def _name(indicator: Indicator) -> NameView:
    return NameView(id=indicator.id, name_zh=indicator.name_zh, name_en=indicator.name_en)


def _series(one: Series, told: Told | None) -> TrendSeriesView:
    places = one.indicator.places
    return TrendSeriesView(
        **_name(one.indicator).model_dump(),
        unit=one.indicator.unit,
        better=one.indicator.better,
        source=one.source,
        points=[
            TrendPointView(
                first=point.span.first,
                last=point.span.last,
                value=None if point.value is None else decimal_text(point.value, places),
                sample=point.sample,
                reason=point.reason,
                final=point.final,
            )
            for point in one.points
        ],
        forecast=_forecast(told, places),
    )


def _forecast(told: Told | None, places: int) -> TrendForecastView:
    if told is None:
        return TrendForecastView(n=0, level_pct=LEVEL_PCT, reason="analytics_missing", ahead=[])
    ahead = [_ahead(span, value, places) for span, value in told.ahead]
    return TrendForecastView(n=told.n, level_pct=LEVEL_PCT, reason=told.reason, ahead=ahead)


def _ahead(span: Span, told: Ahead | None, places: int) -> TrendAheadView:
    if told is None:
        return TrendAheadView(first=span.first, last=span.last, value=None, low=None, high=None)
    value, low, high = (decimal_text(Fraction(number), places) for number in (told.value, told.low, told.high))
    return TrendAheadView(first=span.first, last=span.last, value=value, low=low, high=high)


def _pair(pair: Pair) -> CorrelationView:
    lags = [_lagged(one) for one in pair.lags]
    return CorrelationView(one=pair.one, other=pair.other, best=_lagged(pair.best), lags=lags)


def _lagged(one: Lagged) -> LaggedView:
    return LaggedView(
        lag=one.lag,
        n=one.n,
        r=None if one.r is None else decimal_text(Fraction(one.r)),
        p=None if one.corrected is None else f"{one.corrected:.3g}",
        state=one.state,
    )
