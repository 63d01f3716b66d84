"""Scorecards and the rows behind them."""

from datetime import date
from typing import Literal

from pydantic import Field

from server.api.views.base import NameView, View


class CurvePointView(View):
    """A corner of a curve: value in the indicator's unit, points."""

    value: str
    points: str


class ScoreProgressView(View):
    """How far a sum or count is on the way to its target."""

    completion_pct: int
    """Whole per cent, rounded down."""
    pace: Literal["ahead", "behind", "on_track"]
    expected_pct: str
    """Working days that are over, of all in the month, in per cent."""


class BesideView(NameView):
    """A figure of the same rows, to be compared and never scored."""

    value: str
    """In the indicator's unit, half up to its decimals."""


class IndicatorScoreView(View):
    """One indicator of one person in one period, with everything that made it."""

    id: str
    name_zh: str
    name_en: str
    unit: str
    better: Literal["up", "down", "zone"]
    weight: str
    """Share in per cent of the set, exact decimal to four places."""
    target: str | None
    value: str | None
    """In the indicator's unit, half up to the indicator's decimals."""
    numerator: int | None
    denominator: int | None
    sample: int
    min_sample: int
    points: str | None
    beside: list[BesideView]
    pair: str | None
    """Indicator it is shown with: either alone is easily won at the cost of the other."""
    state: Literal["running", "provisional", "final"]
    """Whether its days go on, late rows are still expected, or it is as it stays."""
    final_on: date | None
    """First day on which no late row is expected any more; null while its days go on."""
    progress: ScoreProgressView | None
    """Of a sum or count with a target."""
    rating: str | None
    """A mean of ratings out of five, with one decimal."""
    no_score: str | None
    """no_denominator | below_minimum_sample | few_answers | few_people | no_target | source_missing | source_late."""
    level: Literal["person", "site", "department", "company"]
    """Whose rows they are: the person's own, or those of the nearest unit above that has any."""
    unit_of: str
    """That unit's id."""
    unit_name_zh: str | None
    """Its name, of a site or department."""
    unit_name_en: str | None
    curve: list[CurvePointView]
    rule_version: str
    watermark_ms: int | None
    input_hash: str
    """SHA-256 over the inputs, hexadecimal."""
    computed_ms: int


class ScoreSegmentView(View):
    """One post of a person with several in a period: scored by itself, weighed by its days."""

    first: date
    last: date
    days: int
    department: str
    position: str
    position_name: NameView
    total: str | None
    coverage_pct: str
    indicators: list[IndicatorScoreView]


class ScorecardView(View):
    """A person's score in a period."""

    employee: str
    name: str
    department: str
    period: str
    """YYYY-MM."""
    periods: list[str]
    """Periods with scores, newest first."""
    status: Literal["scored", "insufficient_data", "none"]
    total: str | None
    """As computed, also of a closed period."""
    grade: Literal["S", "A", "B", "C", "D"] | None
    """Of the total; of a closed period, of the published final score."""
    coverage_pct: str
    indicators: list[IndicatorScoreView]
    """Of several posts those of the last."""
    segments: list[ScoreSegmentView] = Field(default=[])
    """One for each post, by date; none for a period of one post."""
    version: int


class PastTotalView(View):
    """The total of a period; what was published where it is closed."""

    period: str
    total: str | None
    grade: Literal["S", "A", "B", "C", "D"] | None
    closed: bool


class PastScoreView(View):
    """What an indicator came to in a period."""

    period: str
    value: str | None
    points: str | None


class IndicatorHistoryView(NameView):
    """One indicator over the periods that have it."""

    unit: str
    better: Literal["up", "down", "zone"]
    periods: list[PastScoreView]


class ScoreHistoryView(View):
    """A person's scores of the last two years, oldest first."""

    periods: list[PastTotalView]
    indicators: list[IndicatorHistoryView]


class SourceRowView(View):
    """One row behind a number."""

    kind: str
    """The fact: attendance_day, shipment, ticket ..."""
    source: str
    """Where it came from: a business system by its id, edge for parcels that only scanners saw, attendance."""
    key: str
    """Date of a day record, tracking number of a parcel, else the key in its source."""
    at_ms: int | None
    """Instant by which it counts: of a parcel when it was due."""
    on: date | None
    """Day by which it counts, where that is all there is."""
    counts: bool
    """In the numerator."""
    status: str
    """Day status; of a parcel and its promise on_time | late | delivered_late; else counted | not_counted."""
    delivered_ms: int | None = None
    refs: list[int] = Field(default=[])
    """Ids of punches or scans behind it."""


class SourceRowsView(View):
    """Source rows of one indicator score."""

    indicator: str
    period: str
    total: int
    rows: list[SourceRowView]


class RankedView(View):
    """One person in the ranking of a month."""

    rank: int | None
    """From 1, equal totals share one; none without a total."""
    employee: str
    name: str
    department: str
    position: str
    position_name: NameView
    total: str | None
    """As computed."""
    adjustment: str
    """Calibration of a closed period; 0.00 without."""
    veto_cap: str | None
    final: str | None
    """Of a closed period, after calibration and veto: rank and grade go by it."""
    closed: bool
    grade: Literal["S", "A", "B", "C", "D"] | None
    coverage_pct: str


class ScoreRankingView(View):
    """Scores of a month in scope, best first."""

    period: str
    """YYYY-MM."""
    periods: list[str]
    """Months with scores in scope, newest first."""
    total: int
    """People with a scorecard in the month and department asked for."""
    grades: dict[str, int]
    """How many have each grade, and ``none``: not enough data for a total."""
    rows: list[RankedView]
    departments: list[NameView]
