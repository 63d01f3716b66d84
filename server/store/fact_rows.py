"""Rows of facts as rows of their tables: pure."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec

from server.facts.catalogue import FACTS
from server.facts.fields import Fact
from server.store.fact_tables import FACT_TABLES, SEALED, column_name
from shared.clock import to_ms

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Which field of a fact goes where."""

    columns: tuple[str, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """Values of the fields, in the order of ``columns``."""
    instants: tuple[int, ...]
    """Places of instants, which are stored as milliseconds."""


@cache
def layout(fact: str) -> RowLayout:
    """Fields and columns of a fact; what is kept sealed has no column of its own and is left out."""
    fields = [name for name in FACTS[fact].row.model_fields if name not in SEALED.get(fact, ())]
    columns = tuple(column_name(fact, name) for name in fields)
    instants = tuple(n for n, (name, column) in enumerate(zip(fields, columns, strict=True)) if name != column)
    assert set(columns) <= set(FACT_TABLES[fact].c.keys())  # noqa: S101  (a column that is missing is our own mistake)
    return RowLayout(columns, itemgetter(*fields), instants)


def as_values(fact: str, row: Fact) -> list[Any]:
    """Values by ``layout(fact).columns``."""
    known = layout(fact)
    values = list(known.pick(row.__dict__))
    for place in known.instants:
        at = values[place]
        if isinstance(at, dt.datetime):
            values[place] = to_ms(at)
    return values


def payload_hash(values: list[Any]) -> bytes:
    """Tells whether a row has changed: over all of its values, its own time of change included.

    Without that time, a row that the source touched but did not change would keep its old time, and a copy from
    between could replace it.
    """
    return hashlib.blake2b(_encode(values), digest_size=16).digest()
