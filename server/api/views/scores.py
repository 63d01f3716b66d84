"""Scorecards and the rows behind them."""

from typing import Literal

from pydantic import Field

from server.api.views.base import View


class CurvePointView(View):
    """A corner of a curve: value in the indicator's unit, points."""

    value: str
    points: str


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
    """In the indicator's unit, half up to two decimals."""
    numerator: int | None
    denominator: int | None
    sample: int
    min_sample: int
    points: str | None
    no_score: str | None
    """no_denominator | below_minimum_sample | source_not_synced."""
    curve: list[CurvePointView]
    rule_version: str
    watermark_ms: int | None
    input_hash: str
    """SHA-256 over the inputs, hexadecimal."""
    computed_ms: int


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
    grade: Literal["S", "A", "B", "C", "D"] | None
    coverage_pct: str
    indicators: list[IndicatorScoreView]
    version: int


class SourceRowView(View):
    """One row behind a number: a day record or a parcel."""

    kind: Literal["attendance_day", "shipment"]
    key: str
    """Date, or tracking number."""
    at_ms: int | None
    """Due instant of a parcel."""
    counts: bool
    """In the numerator."""
    status: str
    """Day status, or on_time | late | open | delivered_late."""
    delivered_ms: int | None = None
    refs: list[int] = Field(default=[])
    """Ids of punches or scans behind it."""


class SourceRowsView(View):
    """Source rows of one indicator score."""

    indicator: str
    period: str
    total: int
    rows: list[SourceRowView]
