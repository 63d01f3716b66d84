"""Changes of weights for a time: a season or project for a set, an approved one for a person (KS-6, KS-7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files
from itertools import combinations
from math import lcm
from typing import Annotated

import msgspec

from server.scoring.catalogue import default_catalogue
from server.scoring.indicator import Id
from server.scoring.scheme import FULL, PeriodWeights, Place, Weight, WeightSet, set_on
from shared.errors import DataError

Department = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Delta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New weights of some indicators of a set; the others share the rest in proportion."""

    id: Id
    name_zh: str
    name_en: str
    department: Department
    """For whose people it was made, those of departments below too; it works on sets that have all its indicators."""
    weights: dict[Id, Weight]
    source: str

    def applies_to(self, weights: Iterable[str]) -> bool:
        """Whether a set has all the indicators that change."""
        return set(self.weights) <= set(weights)


@dataclass(frozen=True, slots=True)
class Spell:
    """A change in force from ``first`` to ``last``, both inclusive."""

    delta: Delta
    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise _refusal(self.delta, "last", f"{self.last} is before the first day {self.first}")

    @property
    def version(self) -> str:
        """Name of the change and the day it started, as kept with every score."""
        return f"{self.delta.id}/{self.first}"


class _Deltas(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    season: tuple[Delta, ...]


def applied(weights: Mapping[str, Fraction], delta: Delta) -> Mapping[str, Fraction]:
    """The weights after a change, exact; DataError when the others can not take the rest.

    A set without one of the indicators stays as it is.
    """
    if not delta.applies_to(weights):
        return weights
    rest = FULL - sum(delta.weights.values())
    others = sum((weight for name, weight in weights.items() if name not in delta.weights), Fraction(0))
    if rest < 0:
        raise _refusal(delta, "weights", f"they add up to {FULL - rest}, expected at most {FULL}")
    if rest and not others:
        raise _refusal(delta, "weights", f"no other indicator has a weight to take the remaining {rest}")
    share = rest / others if others else Fraction(0)
    return {name: Fraction(delta.weights.get(name, weight * share)) for name, weight in weights.items()}


def weights_over(  # noqa: PLR0917 - who, when, and two kinds of changes
    sets: Sequence[WeightSet],
    place: Place,
    first: date,
    last: date,
    seasons: Sequence[Spell] = (),
    own: Sequence[Spell] = (),
) -> PeriodWeights:
    """Mean of the daily weights from ``first`` to ``last``, both inclusive, with all changes of these days.

    A season works before what was approved for the person; that of the nearest department, where one above has its own.
    DataError for two seasons of one department on a set and a day.
    """
    days = (last - first).days + 1
    sums: dict[str, Fraction] = {}
    versions: list[str] = []
    for day in (first + timedelta(days=number) for number in range(days)):
        base = set_on(sets, place, day)
        changes = (*_nearest(base, place, seasons, day), *_of_day(base, own, day))
        weights: Mapping[str, Fraction] = {name: Fraction(weight) for name, weight in base.weights.items()}
        for spell in changes:
            weights = applied(weights, spell.delta)
        for name, weight in weights.items():
            sums[name] = sums.get(name, Fraction(0)) + weight
        versions += [base.version, *(spell.version for spell in changes)]
    denominator = lcm(*(weight.denominator for weight in sums.values()))
    whole = {name: int(weight * denominator) for name, weight in sums.items()}
    return PeriodWeights(whole, FULL * days * denominator, tuple(dict.fromkeys(versions)))


def check_deltas(deltas: Iterable[Delta], sets: Sequence[WeightSet], indicators: Iterable[str]) -> None:
    """DataError with field and reason when a change names nothing or an unknown indicator, or fits none of its sets."""
    known = set(indicators)
    for delta in deltas:
        if not delta.weights:
            raise _refusal(delta, "weights", "name at least one indicator")
        if unknown := set(delta.weights) - known:
            raise _refusal(delta, "weights", f"no indicator {min(unknown)}")
        fitting = [one for one in sets if delta.applies_to(one.weights)]
        if not any(one.department == delta.department for one in fitting):
            raise _refusal(delta, "department", f"no set of {delta.department} has all its indicators")
        for one in fitting:
            applied({name: Fraction(weight) for name, weight in one.weights.items()}, delta)


def check_spells(spells: Iterable[Spell], sets: Iterable[WeightSet]) -> None:
    """DataError when two seasons meet on a set and a day."""
    both = [(a, b) for a, b in combinations(spells, 2) if a.first <= b.last and b.first <= a.last]
    for one in sets:
        for a, b in both:
            if a.delta.applies_to(one.weights) and b.delta.applies_to(one.weights):
                raise _refusal(b.delta, "first", f"{a.delta.id} is in force on {one.id} from {a.first} to {a.last}")


def read_deltas(toml: bytes, sets: Sequence[WeightSet], indicators: Iterable[str]) -> tuple[Delta, ...]:
    """Checked changes of a TOML document; DataError says what is wrong where."""
    try:
        deltas = msgspec.toml.decode(toml, type=_Deltas, strict=True).season
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"seasons: {error}", "catalogue") from error
    check_deltas(deltas, sets, indicators)
    return deltas


@cache
def default_seasons() -> tuple[Delta, ...]:
    """What ships beside the engine; a company says from when to when one is in force."""
    catalogue = default_catalogue()
    toml = (files("server.scoring") / "defaults" / "seasons.toml").read_bytes()
    return read_deltas(toml, catalogue.sets, {indicator.id for indicator in catalogue.indicators})


def _nearest(base: WeightSet, place: Place, seasons: Sequence[Spell], day: date) -> tuple[Spell, ...]:
    for department in place.departments:
        found = _of_day(base, (spell for spell in seasons if spell.delta.department == department), day)
        if found:
            return found
    return ()


def _of_day(base: WeightSet, spells: Iterable[Spell], day: date) -> tuple[Spell, ...]:
    found = tuple(s for s in spells if s.first <= day <= s.last and s.delta.applies_to(base.weights))
    if len(found) > 1:
        raise _refusal(found[1].delta, "first", f"{found[0].delta.id} is in force on {base.id} on {day} too")
    return found


def _refusal(delta: Delta, field: str, why: str) -> DataError:
    return DataError(f"change of weights {delta.id}, {field}: {why}", "weights_change", {"field": field})
