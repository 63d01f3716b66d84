"""Weights: which indicators make a person's total, and by how much, on each day (KS-5 to KS-7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import msgspec

from server.scoring.indicator import Id
from shared.errors import DataError

FULL = 100

Weight = Annotated[int, msgspec.Meta(ge=0, le=FULL)]


class WeightSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the weights of a department or of a post in it; with neither it is for all others."""

    id: Id
    name_zh: str
    name_en: str
    department: str | None = None
    """Id of the department; those below it have it too, unless they have their own."""
    position: str | None = None
    weights: dict[Id, Weight]
    source: str
    starts: date
    ends: date | None = None
    """Last day; None while no one has taken it back."""

    @property
    def version(self) -> str:
        """Name of the set and the day it started, as kept with every score."""
        return f"{self.id}/{self.starts}"

    def holds(self, day: date) -> bool:
        """Whether it has begun by a day and has not ended."""
        return self.starts <= day and (self.ends is None or day <= self.ends)


@dataclass(frozen=True, slots=True)
class PeriodWeights:
    """Mean of the daily weights: integers over one denominator, so that nothing is rounded."""

    weights: Mapping[str, int]
    denominator: int
    versions: tuple[str, ...]
    """Weight sets that took part, in order of their days."""


@dataclass(frozen=True, slots=True)
class Place:
    """What decides a person's weights."""

    position: str
    departments: tuple[str, ...] = ()
    """The person's own and all above it, the nearest first."""


def set_on(sets: Iterable[WeightSet], place: Place, day: date) -> WeightSet:
    """The weights of a post on a day (KS-6): those of the nearest department that has any, replaced by its post's.

    DataError when there are none.
    """
    started = [candidate for candidate in sets if candidate.holds(day)]
    for department in (*place.departments, None):
        here = [candidate for candidate in started if candidate.department == department]
        own = [candidate for candidate in here if candidate.position == place.position]
        general = [candidate for candidate in here if candidate.position is None]
        found = max(own or general, key=lambda candidate: candidate.starts, default=None)
        if found is not None:
            return found
    raise DataError(f"no weights for {place.position!r} on {day}; add a set without position", "no_weights")


def check_sets(sets: Iterable[WeightSet], indicators: Iterable[str]) -> None:
    """DataError with the field when a set does not add up to 100, names an unknown indicator or ends before its day."""
    known = set(indicators)
    seen: set[tuple[str | None, str | None, date]] = set()
    for weight_set in sets:
        total = sum(weight_set.weights.values())
        if total != FULL:
            message = f"weights {weight_set.version}: they add up to {total}, expected {FULL}"
            raise DataError(message, "weights_sum", _where(weight_set, "weights", sum=str(total)))
        if unknown := set(weight_set.weights) - known:
            name = min(unknown)
            message = f"weights {weight_set.version}: no indicator {name}"
            raise DataError(message, "weights_indicator", _where(weight_set, f"weights.{name}", indicator=name))
        if weight_set.ends is not None and weight_set.ends < weight_set.starts:
            message = f"weights {weight_set.version}: they end on {weight_set.ends}, before they start"
            raise DataError(message, "weights_end", _where(weight_set, "ends"))
        key = weight_set.department, weight_set.position, weight_set.starts
        if key in seen:
            message = f"weights {weight_set.version}: another set starts on that day"
            raise DataError(message, "weights_twice", _where(weight_set, "starts"))
        seen.add(key)


def sets_between(sets: Iterable[WeightSet], first: date, last: date) -> list[WeightSet]:
    """Those that may decide somebody's weights on one of these days: in force on the first, or begun later."""
    newest: dict[tuple[str | None, str | None], WeightSet] = {}
    found = []
    for one in sets:
        if first < one.starts <= last:
            found.append(one)
        elif one.holds(first):
            place = one.department, one.position
            newest[place] = max(newest.get(place, one), one, key=lambda candidate: candidate.starts)
    return [*newest.values(), *found]


def _where(weight_set: WeightSet, field: str, **told: str) -> dict[str, str]:
    return {"field": field, "set": weight_set.version, **told}
