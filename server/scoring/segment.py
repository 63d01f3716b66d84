"""A period of several posts: each is scored with its own data and weights, then weighed by its days (KS-7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from server.scoring.scorecard import ENOUGH_COVERAGE, Mean
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Segment:
    """One post of a person within a period; DataError without days."""

    days: int
    """Calendar days in the post, also of those who join or leave."""
    mean: Mean

    def __post_init__(self) -> None:
        if self.days <= 0:
            raise DataError(f"segment of {self.days} days: expected at least 1", "segment_days")


def period_mean(segments: Sequence[Segment]) -> Mean:
    """Days-weighted mean over the segments that have a total; the coverage is that of all of them."""
    days = sum(segment.days for segment in segments)
    coverage = sum((s.days * s.mean.coverage for s in segments), Fraction(0)) / days if days else Fraction(0)
    scored = [(s.days, s.mean.points) for s in segments if s.mean.points is not None]
    if not scored or coverage < ENOUGH_COVERAGE:
        return Mean(None, coverage)
    weighted = sum((share * points for share, points in scored), Fraction(0))
    return Mean(weighted / sum(share for share, _ in scored), coverage)
