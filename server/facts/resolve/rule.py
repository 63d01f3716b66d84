"""What makes a rule: which rows it is about, which others they follow from."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Row: TypeAlias = Mapping[str, Any]
"""Columns of a stored row: instants in milliseconds, days as dates."""
Causes: TypeAlias = Mapping[str, Sequence[Row]]
"""Rows that share the key, by fact."""
Resolve: TypeAlias = Callable[[Sequence[Row], Causes, ZoneInfo], Sequence[Row]]
"""Attributes of each row of one key, in order; the zone is the company's."""

LINKS = "identity_link"
"""Whose id it is in a source: taken as a fact by rules."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Rows of a fact that decide about others."""

    fact: str
    key: tuple[str, ...]
    """Columns that are equal to the rule's ``key``."""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Attributes of the rows of a fact, by rows that share a key with them."""

    fact: str
    key: tuple[str, ...]
    sets: tuple[str, ...]
    """Columns of attributes."""
    causes: tuple[Cause, ...]
    resolve: Resolve
    reads: tuple[str, ...] = ()
    alone: bool = False
    """Whether a row has attributes even where nothing decides about it."""

    @property
    def among(self) -> bool:
        """Whether rows of the fact decide about each other."""
        return any(cause.fact == self.fact for cause in self.causes)


def each(one: Callable[[Row, Causes, ZoneInfo], Row]) -> Resolve:
    """A rule that looks at one row at a time."""
    return lambda rows, causes, zone: [one(row, causes, zone) for row in rows]


def own_key(row: Row) -> tuple[str, str]:
    """What a row is known by."""
    return row["source"], row["source_key"]


def local_day(at_ms: int, zone: ZoneInfo) -> dt.date:
    """The day at the company."""
    return dt.datetime.fromtimestamp(at_ms / 1000, zone).date()


def in_order(rows: Sequence[Row], *columns: str) -> list[Row]:
    """By those columns, rows without a value first, then by key, so that the order of arrival never matters."""
    return sorted(
        rows,
        key=lambda row: ([(row[name] is not None, row[name]) for name in columns], own_key(row)),
    )
