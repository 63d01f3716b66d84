"""Targets of one's own: a person's before a department's before everybody's, each from a day on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

EVERYBODY = ""
"""The unit of a target that is the whole company's."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target in the indicator's unit, an exact decimal."""

    indicator: str
    unit: str
    """Id of an employee or a department, or ``EVERYBODY``."""
    starts: date
    target: str


class Targets:
    """All targets, to be asked for."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_unit: dict[tuple[str, str], list[Target]] = {}
        for one in targets:
            self._by_unit.setdefault((one.indicator, one.unit), []).append(one)

    def of(self, indicator: str, units: Sequence[str], day: date) -> str | None:
        """The target in force on a day of the first of these units that has one; None without any (KS-7)."""
        for unit in units:
            started = [one for one in self._by_unit.get((indicator, unit), ()) if one.starts <= day]
            if started:
                return max(started, key=lambda one: one.starts).target
        return None
