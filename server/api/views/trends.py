"""Trends, forecasts and correlations of indicators (KS-18): to look at, never scored."""

from datetime import date
from typing import Literal

from server.api.views.base import NameView, View

Grain = Literal["day", "week", "month"]


class TrendChoiceView(NameView):
    """An indicator that the unit may have a value of."""

    weight: int
    """In the unit's set, of 100; 0 of the library."""
    whole_months: bool
    """It has values by month only."""


class TrendPointView(View):
    """One step: a day, a week from Monday, a month."""

    first: date
    last: date
    value: str | None
    """In the indicator's unit, half up to its decimals."""
    sample: int | None
    """Rows behind it; null where even that says too much."""
    reason: str | None
    """Why there is no value: no_denominator | below_minimum_sample | few_answers | few_people."""
    final: bool
    """Steps for which late rows are still expected are shown, and never computed with."""


class TrendAheadView(View):
    """A step to come and the interval in which its value is expected."""

    first: date
    last: date
    value: str | None
    """Null on days of the week that never have one."""
    low: str | None
    high: str | None


class TrendForecastView(View):
    """A forecast after the last final step, or why there is none."""

    n: int
    """Values it was made from."""
    level_pct: int
    """Of the interval."""
    reason: str | None
    """few_points | constant | no_fit | analytics_missing."""
    ahead: list[TrendAheadView]


class TrendSeriesView(NameView):
    """One indicator of the unit, oldest step first."""

    unit: str
    better: Literal["up", "down", "zone"]
    source: str | None
    """source_missing | source_late: a source that it needs is away."""
    points: list[TrendPointView]
    forecast: TrendForecastView


class TrendsView(View):
    """Series of one unit, and what else may be asked."""

    level: Literal["person", "department", "site", "company"]
    unit: str
    unit_name: str | None
    """Of a person."""
    grain: Grain
    most: int
    """Steps that may be asked for by this grain."""
    first: date
    last: date
    series: list[TrendSeriesView]
    left_out: list[str]
    """Indicators asked for by day or week that have values by month only."""
    choices: list[TrendChoiceView]
    """Heaviest first."""
    departments: list[NameView]
    """That the viewer may choose."""
    sites: list[NameView]
    """For who sees everybody, as is the whole company; else none."""


class LaggedView(View):
    """Two series, one of them so many steps later."""

    lag: int
    """Steps by which the first comes before the other; below 0 the other comes first."""
    n: int
    """Points that both have."""
    r: str | None
    """Spearman's coefficient, two decimals."""
    p: str | None
    """Corrected by Holm's method, three significant digits."""
    state: Literal["moves", "weak", "few", "constant"]


class CorrelationView(View):
    """Two indicators at the delay that fits best, and at all others."""

    one: str
    other: str
    best: LaggedView
    lags: list[LaggedView]


class SuggestionView(View):
    """An indicator without weight that moves with the unit's heaviest."""

    main: NameView
    other: NameView
    best: LaggedView


class CorrelationsView(View):
    """What moves with what; nothing here says that one thing causes another."""

    first: date
    last: date
    changes: bool
    """Whether changes were compared, or the values as they are."""
    least: int
    """Points that a pair needs."""
    tested: int
    """Pairs and delays that p is corrected for."""
    indicators: list[NameView]
    pairs: list[CorrelationView]
    suggestions: list[SuggestionView]
    left_out: list[str]
