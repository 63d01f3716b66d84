"""Who runs the statements that count: a database, or an engine over the lake."""

from collections import namedtuple
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from sqlalchemy import CompoundSelect, Numeric, Select, cast, literal, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.part import Counted, Part, ReadPart
from server.scoring.plain import When
from server.store.counted_facts import CountedFact, counted_fact
from server.store.counted_pass import Pass
from server.store.ready import run

Found: TypeAlias = dict[Part, dict[str, Counted]]
"""What each part came to, by unit; a unit without a row is not there."""
MONTHS_OF_YEAR = 12


class Way(Hashable, Protocol):
    """How a pass is counted; one that equals another writes the same statements."""

    def __call__(self, asked: Pass, /) -> Select[Any]:
        """The statement; its first column is the unit, the others are whole numbers."""

    def take(self, asked: Pass, rows: Sequence[Any], found: Mapping[When, Found], /) -> None:
        """Add what its rows say."""


Asked: TypeAlias = tuple[Way, Pass]


class Executor(Protocol):
    """Something that runs these statements: a database, or DuckDB over the lake."""

    @property
    def ranks(self) -> bool:
        """Whether it knows ``sql_terms.at_share``."""

    @property
    def seeks(self) -> bool:
        """Whether rows of some units are found by an index, not among all."""

    def months_at_once(self, part: Part) -> int:
        """Of how many months one statement may keep in memory what a part needs of each row."""

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """The rows of a part's fact, as this one holds them: all that lie in its windows, at least."""

    def rows(self, asked: Sequence[Asked]) -> AsyncIterator[tuple[Asked, Sequence[Any]]]:
        """What their statements give, each with what was asked."""


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """The server's own database."""

    connection: AsyncConnection
    seeks: bool = True

    @property
    def ranks(self) -> bool:
        """PostgreSQL does."""
        return self.connection.dialect.name == "postgresql"

    def months_at_once(self, part: Part) -> int:  # noqa: ARG002
        """A year: the database puts on disk what is too much."""
        return MONTHS_OF_YEAR

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """Of the tables."""
        last = whens[-1]
        return counted_fact(part.part.fact, last.days.months, last.zone, last.days.last.year)

    async def rows(self, asked: Sequence[Asked]) -> AsyncIterator[tuple[Asked, Sequence[Any]]]:
        """From the state that the connection sees; of one unit all at once: to ask takes longer than to count."""
        opened = [one for _, own in asked if (one := own.opened()) is not None]
        if len({own.run for _, own in asked}) != 1 or len(opened) < len(asked):
            for way, own in asked:
                yield (way, own), (await self.connection.execute(way(own))).all()
            return
        told = {name: value for _, own in asked for name, value in own.told().items()}
        joined = _Joined(tuple(way for way, _ in asked))
        found: list[list[Any]] = [[] for _ in asked]
        for place, unit, *numbers in (tuple(row) for row in await run(self.connection, joined, *opened, **told)):
            found[place].append((unit, *(None if number is None else int(number) for number in numbers)))
        for place, (way, own) in enumerate(asked):
            kind = _row_of(way, opened[place])
            yield (way, own), [kind(*row[: len(kind._fields)]) for row in found[place]]


@lru_cache(maxsize=256)
def _row_of(way: Way, opened: Pass) -> Any:
    """What a row of the statement alone is."""
    return namedtuple("Row", way(opened).selected_columns.keys())


@dataclass(frozen=True, slots=True)
class _Joined:
    """Several statements as one, each row with the place of its own."""

    ways: tuple[Way, ...]

    def __call__(self, *asked: Pass) -> CompoundSelect[Any]:
        parts = [way(own).subquery() for way, own in zip(self.ways, asked, strict=True)]
        width = max(len(part.c) for part in parts)
        none = cast(null(), Numeric)
        rows = []
        for place, part in enumerate(parts):
            unit, *numbers = part.c
            whole = [cast(number, Numeric) for number in numbers] + [none] * (width - len(part.c))
            rows.append(select(literal(place), unit, *(n.label(f"number_{k}") for k, n in enumerate(whole))))
        return union_all(*rows)
