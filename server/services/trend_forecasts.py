"""Where series go if they go on like this (KS-18): to look at, never scored."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from server.analytics.extra import require_extra
from server.analytics.forecast import STEPS, Ahead, NoForecast, forecast
from server.analytics.grain import Grain, Span, after
from server.services.trends import Series

T = TypeVar("T")
PER_CENT = 100

_worker = ThreadPoolExecutor(1, thread_name_prefix="analytics")
"""One at a time, so that models leave a processor to everybody else."""


@dataclass(frozen=True, slots=True)
class Told:
    """The steps after a series' last final one, or why there are none."""

    n: int
    """Values it was made from."""
    reason: NoForecast | None
    ahead: tuple[tuple[Span, Ahead | None], ...]


async def forecasts(found: Sequence[Series], grain: Grain) -> dict[str, Told]:
    """A forecast of each series, by indicator; ExtraMissingError without the libraries."""
    require_extra()
    return await aside(lambda: {one.indicator.id: _forecast(one, grain) for one in found})


async def aside(work: Callable[[], T]) -> T:
    """What models come to, worked out beside the thread that answers requests."""
    return await asyncio.get_running_loop().run_in_executor(_worker, work)


def _forecast(series: Series, grain: Grain) -> Told:
    """Up to so many steps after the last one shown: those that are not final yet are told again."""
    final = len(series.points)
    while final and not series.points[final - 1].final:
        final -= 1
    spans = [point.span for point in series.points]
    for _ in range(STEPS[grain]):
        spans.append(after(grain, spans[-1]))
    values = series.values[:final]
    known = [value for value in values if value is not None]
    share = bool(series.indicator.good or series.indicator.also) and Fraction(series.indicator.scale) == PER_CENT
    least = 0 if known and min(known) >= 0 else -math.inf
    told = forecast(values, grain, len(spans) - final, least=least, most=PER_CENT if share else math.inf)
    return Told(told.n, told.reason, tuple(zip(spans[final:], told.ahead, strict=False)))
