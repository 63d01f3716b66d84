"""Figures about people that must not tell of fewer than five: neither shown, nor left over between what is shown.

Whoever sees a department's figure and those of departments below it knows the rest by subtraction. So a group is
withheld not only when it is small, but also when its neighbour's rest would be. People are counted, not rows: two
people who answer three surveys are two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from server.scoring.family import facts_read, lines_of
from server.scoring.indicator import Indicator
from server.scoring.part import Counted, Heads, Part, alternatives

LEAST_PEOPLE = 5
_WHO: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "labour_contract": (("employee",), ()),
    # A pseudonym within the survey: number 7 of one is not 7 of another, and whoever answers both is 7 and 9.
    "survey_response": (("respondent_key",), ("source", "survey_key")),
}
"""Of each fact, what tells its people from each other, and within what it does so.

Rows where that is empty may all be one person's who is counted already: they are nobody more. They are still rows, so
that where only such are left over, it is not nobody who is left.
"""
OF_PEOPLE = frozenset(_WHO)
"""Facts of what people are paid and what they think."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Who is behind what is counted: rows, and different people in each survey."""

    rows: int = 0
    people: Mapping[str, int] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """So many people at least: anybody may have answered all surveys, so that the largest one decides."""
        return max(self.people.values(), default=0)

    @property
    def few(self) -> bool:
        """Whether a figure of them says too much of each; of nobody it says nothing."""
        return self.rows != 0 and self.least < LEAST_PEOPLE

    def __sub__(self, other: "Behind") -> "Behind":
        """What is left over; fewer people than there are, where some of them are in both."""
        left = {survey: number - other.people.get(survey, 0) for survey, number in self.people.items()}
        return Behind(self.rows - other.rows, left)


Size: TypeAlias = tuple[Behind, ...]
"""Who is behind each term of an indicator."""


def is_of_people(indicator: Indicator) -> bool:
    """Whether it is about what the people of a unit are paid or think, and not about one person's work."""
    return indicator.level != "person" and bool(facts_read(indicator) & OF_PEOPLE)


def heads_of(indicator: Indicator) -> tuple[Heads, ...]:
    """What has to be counted, beside its parts, for its size."""
    return tuple(dict.fromkeys(heads for term in _terms(indicator) for option in term for heads in option))


def size_of(indicator: Indicator, counted: Mapping[Part, Counted], sample: int) -> Size:
    """Who is behind each of its terms; ``sample`` where no term is of such a fact, though it needs one."""
    terms = _terms(indicator)
    return tuple(_behind(term, counted) for term in terms) if terms else alike(sample)


def alike(people: int) -> Size:
    """Of so many people with a row each."""
    return (Behind(people, {"": people}),)


def shown_groups(sizes: Mapping[str, Size], above: Mapping[str, str | None]) -> frozenset[str]:
    """Groups whose figures may be shown, whichever of them somebody sees.

    ``sizes`` has the people of each group with those below it, ``above`` has the group above each; groups on top
    have None. Between a group that is shown and any that are shown below it there are five people at least, or nobody.
    Where too few would be left over the smallest group below is withheld, so that the larger figure stays.
    """
    children: dict[str, list[str]] = {}
    for group, upper in above.items():
        if upper is not None:
            children.setdefault(upper, []).append(group)
    shown: set[str] = set()
    beneath: dict[str, list[str]] = {}  # the nearest shown groups below each
    for group in _from_below(above):
        nearest: list[str] = []
        for child in children.get(group, ()):
            nearest += [child] if child in shown else beneath[child]
        size = sizes.get(group, ())
        may_be_shown = any(one.rows for one in size) and not _few(size)
        while may_be_shown and _few(_left(size, [sizes[one] for one in nearest])):
            smallest = min(nearest, key=lambda one: (_people(sizes[one]), one))
            shown.remove(smallest)
            nearest.remove(smallest)
            nearest += beneath[smallest]
        beneath[group] = nearest
        if may_be_shown:
            shown.add(group)
    return frozenset(shown)


def tells_of_few(people: int) -> bool:
    """Whether a figure of so many says too much of each."""
    return people != 0 and people < LEAST_PEOPLE


_Term: TypeAlias = tuple[tuple[Heads, ...], ...]
"""What is added up, and what is taken instead."""


@lru_cache(maxsize=1024)
def _terms(indicator: Indicator) -> tuple[_Term, ...]:
    """Terms that each need five people: with few behind any of them the figure is theirs.

    A numerator that only counts rows of the denominator's fact is none of them: three of ten who are paid within
    their grade are told of as ten. One that adds up values is, since it may be of fewer people than it is divided by.
    """
    above, below = lines_of(indicator)
    divided_by = {part.fact for term in below for part in _parts(term)}
    own = [term for term in above if any(_adds_up(part) or part.fact not in divided_by for part in _parts(term))]
    terms = [tuple(_of_people(option) for option in alternatives(term)) for term in (*below, *own)]
    return tuple(dict.fromkeys(term for term in terms if any(term)))


def _parts(term: Part) -> list[Part]:
    return [part for option in alternatives(term) for part in option]


def _adds_up(part: Part) -> bool:
    return bool(part.sum or part.rating)


def _of_people(option: tuple[Part, ...]) -> tuple[Heads, ...]:
    return tuple(_heads(part) for part in option if part.fact in OF_PEOPLE)


def _heads(part: Part) -> Heads:
    """Whose rows a part looks at; of a rating those that have one."""
    who, apart = _WHO[part.fact]
    rated = () if part.rating is None else (f"{part.rating[2]} > {part.rating[1]}",)
    return Heads(
        fact=part.fact,
        date=part.date,
        window=part.window,
        where=(*part.where, *(one for one in rated if one not in part.where)),
        good=part.good,
        person=part.person,
        distinct=who,
        apart=apart,
    )


def _behind(term: _Term, counted: Mapping[Part, Counted]) -> Behind:
    """Of the first alternative that has a row; what is added to each other may be of the same people."""
    for option in term:
        found = [counted[heads] for heads in option if heads in counted]
        if any(one.rows for one in found):
            people = {f"{n} {survey}": number for n, one in enumerate(found) for survey, number in one.apart.items()}
            return Behind(sum(one.rows for one in found), people)
    return Behind()


def _left(size: Size, below: list[Size]) -> Size:
    left = list(size)
    for one in below:
        left = [whole - part for whole, part in zip(left, one, strict=True)]
    return tuple(left)


def _few(size: Size) -> bool:
    return any(one.few for one in size)


def _people(size: Size) -> int:
    """The smallest of its terms decides; one without rows is of nobody."""
    return min((one.least for one in size if one.rows), default=0)


def _from_below(above: Mapping[str, str | None]) -> list[str]:
    """Each group after those below it."""

    def depth(group: str) -> int:
        upper = above[group]
        return 0 if upper is None else 1 + depth(upper)

    return sorted(above, key=depth, reverse=True)
