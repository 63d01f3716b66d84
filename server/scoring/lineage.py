"""What is kept with every published number, so that it can be explained and computed again (KS-16)."""

from datetime import date

import msgspec

from server.scoring.indicator import Level
from shared.clock import WallMs


class SourceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Names the rows behind a number: the indicator's version says which rows count, this whose and when."""

    level: Level = "person"
    unit: str = ""
    """Whose value it is: the person's own, or that of the nearest unit above that has one."""
    first: date
    """Dates, both inclusive, local to the person's site."""
    last: date
    from_ms: WallMs
    """Instants of the same days: ``from <= at < to``."""
    to_ms: WallMs
    cut_ms: WallMs
    """Only rows dated up to here counted (KS-3)."""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Beside value, sample and points in a row of ``scores``."""

    rule_version: str
    weight_sets: tuple[str, ...]
    weight: tuple[int, int]
    """Share of the total as numerator and denominator."""
    numerator: int
    denominator: int
    value: str | None
    """Exact, as ``numerator/denominator`` in lowest terms, in the indicator's unit."""
    target: str | None = None
    """What it was measured against, an exact decimal."""
    beside: dict[str, str] = {}
    """Values of the figures shown with it, by id, exact as ``value``."""
    watermarks: dict[str, int]
    """How far each source had come: followers of the feed by name, and ``cut_ms``."""
    query: SourceQuery
    input_hash: str
