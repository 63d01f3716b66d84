"""Totals of many people side by side: places, and how many have each grade. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from server.scoring.numbers import CentiPoints
from server.scoring.scorecard import GRADES, Grade, grade

Standing: TypeAlias = Grade | Literal["none"]


def ranks(totals: Mapping[str, CentiPoints | None]) -> dict[str, int]:
    """Place of everybody with a total, from 1; equal totals share one."""
    above = Counter(total for total in totals.values() if total is not None)
    places, better = {}, 0
    for total in sorted(above, reverse=True):
        places[total] = better + 1
        better += above[total]
    return {name: places[total] for name, total in totals.items() if total is not None}


def grade_counts(totals: Iterable[CentiPoints | None]) -> dict[Standing, int]:
    """How many have each grade, best first, and ``none`` without a total."""
    counted = Counter[Standing]("none" if total is None else grade(total) for total in totals)
    letters: tuple[Standing, ...] = (*(letter for letter, _ in GRADES), "none")
    return {letter: counted[letter] for letter in letters}
