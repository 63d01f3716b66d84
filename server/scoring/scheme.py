"""Weights: which indicators make a person's total, and by how much, on each day (KS-5 to KS-7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

import msgspec

from server.scoring.indicator import Id
from shared.errors import DataError

FULL = 100

Weight = Annotated[int, msgspec.Meta(ge=0, le=FULL)]


class WeightSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the weights of a post; without ``position`` it is for everybody who has no other."""

    id: Id
    name_zh: str
    name_en: str
    position: str | None = None
    weights: dict[Id, Weight]
    source: str
    starts: date

    @property
    def version(self) -> str:
        """Name of the set and the day it started, as kept with every score."""
        return f"{self.id}/{self.starts}"


@dataclass(frozen=True, slots=True)
class PeriodWeights:
    """Mean of the daily weights: integers over one denominator, so that nothing is rounded."""

    weights: Mapping[str, int]
    denominator: int
    versions: tuple[str, ...]
    """Weight sets that took part, in order of their days."""


def set_on(sets: Iterable[WeightSet], position: str, day: date) -> WeightSet:
    """The weights of a post on a day; a set of the post replaces the general one. DataError when there is none."""
    started = [candidate for candidate in sets if candidate.starts <= day]
    own = [candidate for candidate in started if candidate.position == position]
    general = [candidate for candidate in started if candidate.position is None]
    found = max(own or general, key=lambda candidate: candidate.starts, default=None)
    if found is None:
        raise DataError(f"no weights for {position!r} on {day}; add a set without position", "no_weights")
    return found


def period_weights(sets: Sequence[WeightSet], position: str, first: date, last: date) -> PeriodWeights:
    """Weights of a post from ``first`` to ``last``, both inclusive."""
    days = (last - first).days + 1
    daily = [set_on(sets, position, first + timedelta(days=number)) for number in range(days)]
    weights: dict[str, int] = {}
    for day in daily:
        for indicator, weight in day.weights.items():
            weights[indicator] = weights.get(indicator, 0) + weight
    return PeriodWeights(weights, FULL * days, tuple(dict.fromkeys(day.version for day in daily)))


def check_sets(sets: Iterable[WeightSet], indicators: Iterable[str]) -> None:
    """DataError when a set does not add up to 100 or names an indicator that does not exist."""
    known = set(indicators)
    seen: set[tuple[str | None, date]] = set()
    for weight_set in sets:
        total = sum(weight_set.weights.values())
        if total != FULL:
            raise DataError(f"weights {weight_set.version}: they add up to {total}, expected {FULL}", "weights_sum")
        if unknown := set(weight_set.weights) - known:
            raise DataError(f"weights {weight_set.version}: no indicator {min(unknown)}", "weights_indicator")
        if (weight_set.position, weight_set.starts) in seen:
            raise DataError(f"weights {weight_set.version}: another set starts on that day", "weights_twice")
        seen.add((weight_set.position, weight_set.starts))
