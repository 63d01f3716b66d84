"""Rows of facts as rows of their tables: pure."""

import datetime as dt
import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec

from server.facts.catalogue import FACTS, SEALED
from server.facts.fields import Fact
from server.store.fact_tables import FACT_TABLES, column_name
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


def payload_hash(values: list[Any], mac: Callable[[bytes], bytes] | None = None) -> bytes:
    """Tells whether a row has changed: over all of its values, its own time of change included.

    Values that are kept encrypted are hashed under a key, by ``mac``: a plain hash would tell whoever tries all values.

    Without that time, a row that the source touched but did not change would keep its old time, and a copy from
    between could replace it.
    """
    return short_hash(_encode(values), mac)


def short_hash(data: bytes, mac: Callable[[bytes], bytes] | None = None) -> bytes:
    """16 bytes; by ``mac`` where the data hold what is kept encrypted."""
    return hashlib.blake2b(data, digest_size=16).digest() if mac is None else mac(data)[:16]


def sealed_values(fact: str, row: Fact) -> bytes | None:
    """What is kept encrypted, as bytes of one length whatever the values are; None where all of it is empty."""
    if fact not in SEALED:
        return None
    values = [getattr(row, name) for name in SEALED[fact]]
    if all(value is None for value in values):
        return None
    return b"".join(_SEALED.pack(value is not None, value or 0) for value in values)


def unsealed_values(fact: str, plain: bytes) -> dict[str, int | None]:
    """The fields of ``sealed_values`` again."""
    found = _SEALED.iter_unpack(plain)
    return {name: value if there else None for name, (there, value) in zip(SEALED[fact], found, strict=True)}


_SEALED = struct.Struct(">?q")
