"""Which indicators of a unit move together, and which without weight are worth a look (KS-18)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.analytics.correlation import Pair, changes, correlate
from server.analytics.extra import require_extra
from server.analytics.grain import Span
from server.scoring.indicator import Indicator
from server.services.trend_basis import MOST_CHOSEN, Basis, Choice, Wanted, basis_of, chosen_of, has_values
from server.services.trend_forecasts import aside
from server.services.trends import count_series
from shared.clock import WallMs

NOT_BY_ATTENDANCE = frozenset({"design"})
"""Departments to which attendance is not suggested: the definitions warn against it."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An indicator without weight that moves with the unit's heaviest."""

    indicator: Indicator
    main: Indicator
    pair: Pair
    """The heaviest first."""


@dataclass(frozen=True, slots=True)
class Correlated:
    """Pairs of the chosen indicators, and what moves with the heaviest of all."""

    spans: tuple[Span, ...]
    indicators: tuple[Indicator, ...]
    pairs: tuple[Pair, ...]
    suggestions: tuple[Suggestion, ...]
    tested: int
    """Pairs and delays that p was corrected for."""
    left_out: tuple[str, ...]


async def correlations(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, now_ms: WallMs, *, plain: bool = False
) -> Correlated:
    """Which of the chosen indicators move together; errors as of ``series_of``, and ExtraMissingError.

    Changes are compared, with ``plain`` the values as they are.
    """
    require_extra()
    basis = await basis_of(connection, scope, wanted, now_ms)
    chosen, left_out = chosen_of(basis.choices, wanted)
    main = next((one for one in basis.choices if one.weight and has_values(one, wanted.grain)), None)
    others = [] if main is None else _candidates(basis, chosen, wanted)
    asked = {one.indicator.id: one.indicator for one in (*chosen, *([main] if main and others else []), *others)}
    found = await count_series(connection, basis, list(asked.values()), wanted)
    values = {one.indicator.id: one.values if plain else changes(one.values, wanted.grain) for one in found}
    pairs = list(combinations([one.indicator.id for one in chosen], 2))
    further = [] if main is None else [(main.indicator.id, one.indicator.id) for one in others]
    tested = await aside(lambda: correlate(values, [*pairs, *further]))
    return Correlated(
        basis.spans,
        tuple(one.indicator for one in chosen),
        tuple(tested[: len(pairs)]),
        _suggestions(asked, tested[len(pairs) :]),
        sum(lagged.p is not None for pair in tested for lagged in pair.lags),
        left_out,
    )


def _candidates(basis: Basis, chosen: Collection[Choice], wanted: Wanted) -> list[Choice]:
    """Indicators without weight of the unit's own library and of everybody's, as far as the values asked for go."""
    by_attendance = not NOT_BY_ATTENDANCE & set(basis.line)
    return [
        one
        for one in basis.choices
        if not one.weight
        and one not in chosen
        and has_values(one, wanted.grain)
        and (one.indicator.department in basis.line if one.indicator.department is not None else by_attendance)
    ][:MOST_CHOSEN]


def _suggestions(indicators: Mapping[str, Indicator], pairs: Sequence[Pair]) -> tuple[Suggestion, ...]:
    """Those that move with the main one, the strongest first."""
    moving = [pair for pair in pairs if pair.best.state == "moves"]
    moving.sort(key=lambda pair: (-abs(pair.best.r or 0), pair.other))
    return tuple(Suggestion(indicators[pair.other], indicators[pair.one], pair) for pair in moving)
