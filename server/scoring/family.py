"""From counted parts to what an indicator observed: one way for each family.

``sum`` and ``count``: the numerator. ``ratio`` and ``mean``: numerator over denominator. ``percentile``: a place among
the values of the numerator. ``distinct``, ``union_distinct``, ``funnel_step``: keys of the denominator, and those of
them that are good or that another part has too. ``tier_combined``: rates of tiers, weighed. ``semi_additive``: a stock
at the end against its start, or flows against balances. ``composite``: shares, weighed.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from math import lcm

import msgspec

from server.scoring.formula import Shapes
from server.scoring.indicator import Family, Indicator, Parts, Tier
from server.scoring.part import Counted, Part, alternatives, read_part, together
from server.scoring.scorecard import NoScore, Observed
from shared.errors import DataError

P50 = 50


def numerator_of(indicator: Indicator) -> Parts:
    """Parts that are added up above the line."""
    if indicator.numerator or not (indicator.good or indicator.also):
        return indicator.numerator
    whole = indicator.denominator[0]
    return (msgspec.structs.replace(whole, good=(*whole.good, *indicator.good), also=indicator.also),)


def is_flow(indicator: Indicator) -> bool:
    """Whether it adds up over the period, such as sales, and is no share or mean of anything."""
    return indicator.family in ("sum", "count", "distinct") and not indicator.denominator


@lru_cache(maxsize=1024)
def parts_of(indicator: Indicator) -> tuple[Part, ...]:
    """Everything that has to be counted for an indicator and what is beside it, each once."""
    terms = (term for one in (indicator, *besides(indicator).values()) for term in _terms(one))
    return tuple(dict.fromkeys(part for term in terms for option in alternatives(term) for part in option))


@lru_cache(maxsize=1024)
def besides(indicator: Indicator) -> Mapping[str, Indicator]:
    """What is shown beside an indicator, by id, as indicators that can be observed in the same way."""
    return {
        one.id: msgspec.structs.replace(
            indicator,
            beside=(),
            good=one.good or indicator.good,
            percentile=one.percentile or indicator.percentile,
        )
        for one in indicator.beside
    }


def lines_of(indicator: Indicator) -> tuple[Parts, Parts]:
    """What is counted above the line, and below it."""
    above, below = numerator_of(indicator), indicator.denominator
    if indicator.family == "tier_combined":
        above, below = (tuple(p for tier in indicator.tiers for p in _tiered(parts, tier)) for parts in (above, below))
    elif indicator.family == "percentile":
        above, below = _placed(indicator), ()
    above += tuple(part for one in indicator.components for part in one.numerator)
    return above, below + tuple(part for one in indicator.components for part in one.denominator)


def listed_parts(indicator: Indicator) -> tuple[Part, ...]:
    """Parts whose rows are shown behind a number: the denominator's with those that are good, else the numerator's."""
    terms = [*indicator.denominator, *(part for one in indicator.components for part in one.denominator)]
    if indicator.good:
        terms = list(numerator_of(indicator))
    return tuple(dict.fromkeys(part for term in terms or indicator.numerator for part in together(term)))


@lru_cache(maxsize=1024)
def facts_needed(indicator: Indicator) -> frozenset[str]:
    """Facts that some source has to tell of, and none of them be late, for a score (KS-3)."""
    return frozenset(indicator.needs or (part.fact for part in parts_of(indicator)))


@lru_cache(maxsize=1024)
def facts_read(indicator: Indicator) -> frozenset[str]:
    """Facts that are counted or needed: a change of any may change the score."""
    return facts_needed(indicator) | {part.fact for part in parts_of(indicator)}


def final_on(indicator: Indicator, last: date, lookback: Mapping[str, int], end: date | None = None) -> date:
    """First day on which no late row of a period to ``last`` is expected.

    That is after the indicator's own window, after ``lookback``, days by fact, or after ``end``, the last day of
    ``provisional_to`` in the period's rows; whichever is latest.
    """
    window = max([indicator.provisional_days, *(lookback.get(fact, 0) for fact in facts_read(indicator))])
    return max(last + timedelta(days=window), end or last) + timedelta(days=1)


def observe(indicator: Indicator, counted: Mapping[Part, Counted]) -> tuple[Observed, NoScore | None]:
    """What was observed, with a reason where that makes no value; parts that are not in ``counted`` had no row."""
    found = _FAMILIES[indicator.family](indicator, counted)
    if found is None:
        return Observed(), "no_denominator"
    numerator, denominator, sample = found
    if denominator <= 0:
        return Observed(), "no_denominator"
    if indicator.sample is not None:
        sample = int(_value(indicator.sample, counted).total)
    observed = Observed(*_whole(numerator, denominator), sample)
    return observed, "few_answers" if _few_answers(indicator, counted) else None


def check_parts(indicator: Indicator, shapes: Shapes) -> None:
    """DataError when the definition does not fit its family, or names a fact or field that is not there."""
    needed = _NEEDS[indicator.family]
    missing = [name for name in needed if not getattr(indicator, name)]
    if indicator.family in _KEYED and not (indicator.numerator or indicator.good or indicator.also):
        missing.append("numerator, good or also")
    if missing:
        raise DataError(
            f"indicator {indicator.id}: family {indicator.family} needs {', '.join(missing)}", "indicator_family"
        )
    if (indicator.good or indicator.also) and (len(indicator.denominator) != 1 or indicator.numerator):
        raise DataError(f"indicator {indicator.id}: good and also need one denominator alone", "indicator_family")
    if any(bool(one.good) == bool(one.percentile) for one in indicator.beside):
        raise DataError(f"indicator {indicator.id}: beside needs good or percentile", "indicator_beside")
    if indicator.provisional_to is not None:
        facts = [part.fact for part in indicator.denominator]
        if not facts or any(shapes.get(fact, {}).get(indicator.provisional_to) != "day" for fact in facts):
            message = f"provisional_to {indicator.provisional_to!r} is no day of the denominator's rows"
            raise DataError(f"indicator {indicator.id}: {message}", "indicator_provisional_to")
    for part in parts_of(indicator):
        try:
            read_part(part, shapes)
        except DataError as error:
            raise DataError(f"indicator {indicator.id}: {error}", error.code) from error


_NEEDS: dict[Family, tuple[str, ...]] = {
    "sum": ("numerator",),
    "count": ("numerator",),
    "ratio": ("denominator",),
    "mean": ("numerator", "denominator"),
    "percentile": ("numerator", "percentile"),
    "distinct": (),
    "union_distinct": ("denominator",),
    "funnel_step": ("denominator",),
    "tier_combined": ("numerator", "denominator", "tiers"),
    "semi_additive": ("numerator", "denominator"),
    "composite": ("components",),
}
_KEYED = ("ratio", "distinct", "union_distinct", "funnel_step")
_Result = tuple[Fraction, Fraction, int] | None


def _terms(indicator: Indicator) -> Iterator[Part]:
    for terms in lines_of(indicator):
        yield from terms
    if indicator.sample is not None:
        yield indicator.sample
    if indicator.response is not None:
        yield indicator.response.answered
        yield indicator.response.asked


def _tiered(parts: Parts, tier: Tier) -> Parts:
    return tuple(msgspec.structs.replace(part, where=(*part.where, tier.where)) for part in parts)


def _placed(indicator: Indicator) -> Parts:
    return tuple(msgspec.structs.replace(part, percentile=indicator.percentile) for part in indicator.numerator)


def _value(term: Part, counted: Mapping[Part, Counted]) -> Counted:
    """The first alternative that has a row."""
    for option in alternatives(term):
        found = [counted[part] for part in option if part in counted]
        if any(value.rows for value in found):
            return Counted(sum((value.total for value in found), Fraction(0)), sum(value.rows for value in found))
    return Counted()


def _sum(terms: Parts, counted: Mapping[Part, Counted]) -> tuple[Fraction, int]:
    values = [_value(term, counted) for term in terms]
    return sum((value.total for value in values), Fraction(0)), sum(value.rows for value in values)


def _flow(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    total, rows = _sum(indicator.numerator, counted)
    return (total, Fraction(1), rows) if rows else None


def _ratio(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    whole, rows = _sum(indicator.denominator, counted)
    return _sum(numerator_of(indicator), counted)[0], whole, rows


def _keys(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    return (_ratio if indicator.denominator else _flow)(indicator, counted)


def _percentile(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    total, rows = _sum(_placed(indicator), counted)
    if not rows:
        return None
    # The mean of two middle values stays their sum over 2, also where it is whole (KS-1).
    return (2 * total, Fraction(2), rows) if indicator.percentile == P50 else (total, Fraction(1), rows)


def _tiers(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    value, weights, sample = Fraction(0), Fraction(0), 0
    for tier in indicator.tiers:
        whole, rows = _sum(_tiered(indicator.denominator, tier), counted)
        if whole > 0:
            value += Fraction(tier.weight) * _sum(_tiered(indicator.numerator, tier), counted)[0] / whole
            weights += Fraction(tier.weight)
            sample += rows
    return (value, weights, sample) if weights else None


def _composite(indicator: Indicator, counted: Mapping[Part, Counted]) -> _Result:
    value, weights, samples = Fraction(0), Fraction(0), []
    for component in indicator.components:
        whole, rows = _sum(component.denominator, counted)
        if not whole:
            return None
        value += Fraction(component.weight) * _sum(component.numerator, counted)[0] / whole
        weights += Fraction(component.weight)
        samples.append(rows)
    return value, weights, min(samples)


def _few_answers(indicator: Indicator, counted: Mapping[Part, Counted]) -> bool:
    if indicator.response is None:
        return False
    answered, asked = (_value(part, counted).total for part in (indicator.response.answered, indicator.response.asked))
    return 100 * answered < indicator.response.at_least_pct * asked or not asked


def _whole(numerator: Fraction, denominator: Fraction) -> tuple[int, int]:
    """Both as whole numbers, with nothing lost and no more digits than needed."""
    shared = lcm(numerator.denominator, denominator.denominator)
    return int(numerator * shared), int(denominator * shared)


_FAMILIES: dict[Family, Callable[[Indicator, Mapping[Part, Counted]], _Result]] = {
    "sum": _flow,
    "count": _flow,
    "ratio": _ratio,
    "mean": _ratio,
    "percentile": _percentile,
    "distinct": _keys,
    "union_distinct": _ratio,
    "funnel_step": _ratio,
    "tier_combined": _tiers,
    "semi_additive": _ratio,
    "composite": _composite,
}
