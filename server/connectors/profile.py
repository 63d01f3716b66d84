"""What the columns of a file hold: kinds of values, how many are empty, how many there are. Pure, one row at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from server.connectors.convert import As, Reading, convert, is_empty
from shared.errors import DataError

ColumnKind: TypeAlias = Literal["empty", "int", "number", "date", "datetime", "bool", "text", "mixed"]
"""Most special kind that all values fit; ``mixed`` for lists and objects of JSON."""
MOST_DISTINCT = 10_000
"""Different values that are counted; beyond that there are simply many."""
SAMPLES = 5
SHOWN = 60
_READING = Reading(ZoneInfo("UTC"))
_FORMS: Mapping[ColumnKind, As] = {
    "int": "int",
    "number": "money_minor",  # as amounts are read, signs of currencies and thousands separators included
    "date": "date",
    "datetime": "datetime",
    "bool": "bool",
}
"""How a value of a kind is read, the most special kind first."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column."""

    name: str
    kind: ColumnKind
    filled: int
    empty: int
    distinct: int
    many: bool
    """There are more than MOST_DISTINCT different values."""
    samples: tuple[str, ...]
    """The first different values."""


@dataclass(slots=True)
class _Column:
    filled: int = 0
    kinds: set[ColumnKind] | None = None
    values: set[str] = field(default_factory=set)
    samples: list[str] = field(default_factory=list)
    many: bool = False


class Profiler:
    """Fed with every row, asked at the end."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, _Column] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row into account."""
        self.rows += 1
        for name, value in row.items():
            column = self._columns.setdefault(str(name), _Column())
            if not is_empty(value):
                _take(column, value)

    def columns(self) -> tuple[ColumnProfile, ...]:
        """In the order in which they were met; a row without a column counts as empty there."""
        return tuple(
            ColumnProfile(
                name,
                _kind(column),
                column.filled,
                self.rows - column.filled,
                len(column.values),
                column.many,
                tuple(column.samples),
            )
            for name, column in self._columns.items()
        )


def _take(column: _Column, value: Any) -> None:
    column.filled += 1
    text = str(value)[:SHOWN]
    if text not in column.values and not column.many:
        column.values.add(text)
        column.many = len(column.values) > MOST_DISTINCT
        column.samples += [text] if len(column.samples) < SAMPLES else []
        # Values that are there twice say nothing new, and beyond so many different ones the kind is known.
        kinds = set(_kinds_of(value))
        column.kinds = kinds if column.kinds is None else column.kinds & kinds


def _kinds_of(value: Any) -> Iterable[ColumnKind]:
    if isinstance(value, dict | list):
        yield "mixed"
        return
    yield "text"
    for kind, form in _FORMS.items():
        try:
            convert(value, form, _READING)
        except DataError:
            continue
        yield kind


def _kind(column: _Column) -> ColumnKind:
    """``0`` and ``1`` alone are whole numbers; 20240301 is a date only beside dates that are plainly dates."""
    kinds = column.kinds or set()
    if not column.filled:
        return "empty"
    return next((kind for kind in (*_FORMS, "text") if kind in kinds), "mixed")
