"""Figures about people that must not tell of fewer than five: neither shown, nor left over between what is shown.

Whoever sees a department's figure and those of departments below it knows the rest by subtraction. So a group is
withheld not only when it is small, but also when its neighbour's rest would be.
"""

from collections.abc import Mapping

from server.scoring.family import facts_read
from server.scoring.indicator import Indicator

LEAST_PEOPLE = 5
OF_PEOPLE = frozenset({"labour_contract", "survey_response"})
"""Facts of what people are paid and what they think."""


def is_of_people(indicator: Indicator) -> bool:
    """Whether it is about what the people of a unit are paid or think, and not about one person's work."""
    return indicator.level != "person" and bool(facts_read(indicator) & OF_PEOPLE)


def shown_groups(sizes: Mapping[str, int], above: Mapping[str, str | None]) -> frozenset[str]:
    """Groups whose figures may be shown, whichever of them somebody sees.

    ``sizes`` counts the people of each group with those below it, ``above`` has the group above each; groups on top
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
        size = sizes.get(group, 0)
        while size >= LEAST_PEOPLE and tells_of_few(size - sum(sizes[one] for one in nearest)):
            smallest = min(nearest, key=lambda one: (sizes[one], one))
            shown.remove(smallest)
            nearest.remove(smallest)
            nearest += beneath[smallest]
        beneath[group] = nearest
        if size >= LEAST_PEOPLE:
            shown.add(group)
    return frozenset(shown)


def tells_of_few(people: int) -> bool:
    """Whether a figure of so many says too much of each."""
    return people != 0 and people < LEAST_PEOPLE


def _from_below(above: Mapping[str, str | None]) -> list[str]:
    """Each group after those below it."""

    def depth(group: str) -> int:
        upper = above[group]
        return 0 if upper is None else 1 + depth(upper)

    return sorted(above, key=depth, reverse=True)
