"""Who runs the statements that count: a database, or an engine over the lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.part import Counted, Part, ReadPart
from server.scoring.plain import When
from server.store.counted_facts import CountedFact, counted_fact

Found: TypeAlias = dict[Part, dict[str, Counted]]
"""What each part came to, by unit; a unit without a row is not there."""
MONTHS_OF_YEAR = 12


class Executor(Protocol):
    """Something that runs these statements: a database, or DuckDB over the lake."""

    @property
    def ranks(self) -> bool:
        """Whether it knows ``sql_terms.at_share``."""

    def months_of_keys(self, fact: str) -> int:
        """Of how many months one statement may keep the keys of a fact's rows in memory."""

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """The rows of a part's fact, as this one holds them: all that lie in its windows, at least."""

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """What a statement gives."""


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """The server's own database."""

    connection: AsyncConnection
    ranks: bool = False

    def months_of_keys(self, fact: str) -> int:  # noqa: ARG002
        """A year: the database puts on disk what is too much."""
        return MONTHS_OF_YEAR

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """Of the tables."""
        last = whens[-1]
        return counted_fact(part.part.fact, last.days.months, last.zone, last.days.last.year)

    async def rows(self, statement: Select[Any]) -> Sequence[Any]:
        """From the state that the connection sees."""
        found: Sequence[Any] = (await self.connection.execute(statement)).all()
        return found
