"""Counting on the lake, whatever reads its files: which of them a window needs, and the statements of ``counting``."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Select, Table, Text, select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from server.scoring.formula import Kind, Shape
from server.scoring.part import Part, ReadPart
from server.scoring.plain import When
from server.store.counted_facts import CountedFact, for_period, stored_fact
from server.store.counting_executor import MONTHS_OF_YEAR, Asked
from server.store.lake_register import LakeFile, files_for, read_register
from server.store.tables import departments, employees, sites

KEYS = 200_000
"""Rows whose keys are held at once; each is some hundred bytes until it is counted."""
VALUES = 2_000_000
"""Rows whose values are held at once to be ranked: 7,500,000 of a year of 50 million facts were more than 256 MB."""
_TYPES: Mapping[Kind, type[TypeEngine[Any]]] = {"text": Text, "month": Text, "flag": Boolean}
_UNITS = {employees: ("id", "department"), departments: ("id", "parent"), sites: ("id",)}
"""What has to be known of people and places."""


class OnFiles(ABC):
    """The lake as it was when this was opened; one statement at a time."""

    ranks: bool = False
    seeks: bool = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._register = read_register(folder)
        self._stored: dict[tuple[str, tuple[str, ...]], CountedFact] = {}
        self._facts: dict[tuple[object, ...], CountedFact] = {}

    async def know_units(self, connection: AsyncConnection) -> None:
        """Take over from the database who works in which department, and what is above it."""
        for table, names in _UNITS.items():
            rows = [tuple(row) for row in await connection.execute(select(*(table.c[name] for name in names)))]
            self._take(table.name, names, rows)

    def months_at_once(self, part: Part) -> int:
        """By the largest month where keys or values are held; one at least."""
        held = KEYS if part.distinct else VALUES if part.percentile else None
        if held is None:
            return MONTHS_OF_YEAR
        most = max((file.rows for file in self._register.of(part.fact).values()), default=0)
        return max(1, held // max(1, most))

    def fact(self, part: ReadPart, whens: Sequence[When]) -> CountedFact:
        """Of those files that may hold rows in one of the windows."""
        name, when = part.part.fact, whens[-1]
        held = self._register.of(name).values()
        files = {file.month: file for one in whens for file in files_for(held, part, one)}
        key = name, tuple(files)
        if key not in self._stored:
            self._stored[key] = self._opened(name, files.values())
        terms = when.days.months, when.zone, when.days.last.year
        return self._facts.setdefault((*key, *terms), for_period(name, self._stored[key], *terms))

    async def rows(self, asked: Sequence[Asked]) -> AsyncIterator[tuple[Asked, Sequence[Any]]]:
        """What the engine gives."""
        for way, own in asked:
            names, rows = await asyncio.to_thread(self._run, way(own))
            yield (way, own), IteratorResult(SimpleResultMetaData(names), iter(rows)).all()

    def _opened(self, fact: str, files: Iterable[LakeFile]) -> CountedFact:
        shape = stored_fact(fact).shape
        name = f"lake_{fact}_{len(self._stored)}"
        self._show(name, shape, [str(file.path(self._folder)) for file in files])
        columns = [Column(field, _TYPES.get(kind, BigInteger)) for field, kind in shape.items()]
        table = Table(name, MetaData(), *columns)
        return CountedFact(table, dict(table.c.items()), shape, {})

    @abstractmethod
    def _take(self, name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Know a table of texts by that name, in place of the former."""

    @abstractmethod
    def _show(self, name: str, shape: Shape, paths: Sequence[str]) -> None:
        """Show these files as one table; without any it is empty."""

    @abstractmethod
    def _run(self, statement: Select[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of the columns, and the rows."""
