"""A file against what is stored: rows and sums of amounts by month, department and currency. Pure: fed part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_GROUPS = 2_000
"""Groups that a report shows; those that differ come first."""


class Group(NamedTuple):
    """What rows are put together by; empty where a row does not say."""

    month: str
    """YYYY-MM by the zone of the source."""
    department: str
    """As the source calls it."""
    currency: str


@dataclass(slots=True)
class Sums:
    """Rows and amounts of one side, by group."""

    amounts: Sequence[str]
    """Fields that are summed, in minor units."""
    groups: dict[Group, list[int]] = field(default_factory=dict)

    def add(self, group: Group, values: Sequence[int | None]) -> None:
        """A row with its amounts, in the order of ``amounts``."""
        known = self.groups.setdefault(group, [0] * (len(self.amounts) + 1))
        known[0] += 1
        for place, value in enumerate(values, 1):
            known[place] += value or 0


def compared(source: Sums, stored: Sums, counts: Mapping[str, int]) -> dict[str, Any]:
    """Both sides as JSON: totals, how many groups differ, and each group with what the file has and what is stored."""
    empty = [0] * (len(source.amounts) + 1)
    names = sorted({*source.groups, *stored.groups})
    both = [(name, source.groups.get(name, empty), stored.groups.get(name, empty)) for name in names]
    differing = sum(there != here for _, there, here in both)
    shown = sorted(both, key=lambda one: one[1] == one[2])[:MOST_GROUPS]
    return {
        **counts,
        "rows_source": sum(there[0] for _, there, _ in both),
        "rows_stored": sum(here[0] for _, _, here in both),
        "groups": len(both),
        "differing": differing,
        "by_group": [
            {
                **name._asdict(),
                "rows": _both(there[0], here[0]),
                "amounts": {one: _both(there[place], here[place]) for place, one in enumerate(source.amounts, 1)},
            }
            for name, there, here in sorted(shown, key=lambda one: (one[1] == one[2], one[0]))
        ],
    }


def _both(source: int, stored: int) -> dict[str, int]:
    return {"source": source, "stored": stored}
