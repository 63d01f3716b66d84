"""Targets of one's own: a person's before a department's before everybody's, each from a day on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias, get_args

from shared.errors import DataError

EVERYBODY = ""
"""The unit of a target that is the whole company's."""

Kind: TypeAlias = Literal["everybody", "department", "employee"]
"""Whose a target is."""
KINDS: tuple[Kind, ...] = get_args(Kind)

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


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


def read_amount(text: str) -> str:
    """A target as it is kept: a decimal above 0; DataError ``targets_value``."""
    if not _AMOUNT.fullmatch(text) or not text.strip("0."):
        why = f"{text[:40]!r}: a target is a decimal above 0, such as 1200 or 97.5, six decimals at most"
        raise DataError(why, "targets_value", {"field": "target"})
    return text
