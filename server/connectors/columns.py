"""A source file out of the columns of a table: what the migration wizard writes for whoever knows no YAML. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from server.connectors.convert import As
from server.connectors.profile import ColumnProfile
from server.facts.catalogue import FACTS
from server.facts.field_kinds import FieldKind, field_kind
from server.facts.headings import HEADINGS, plain

_FORMS: Mapping[FieldKind, As] = {
    "minor": "money_minor",
    "whole": "int",
    "day": "date",
    "instant": "datetime",
    "flag": "bool",
}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns say what."""

    source: str
    """Name of the source, such as ``history_orders``: part of every key."""
    fact: str
    timezone: str
    key: tuple[str, ...]
    """Columns that together are unique."""
    columns: Mapping[str, str]
    """Column by field."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """A value by field, for what no column says: a currency above all."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By field what a cell says, and what it means."""


def suggested_columns(fact: str, columns: Iterable[ColumnProfile]) -> dict[str, str]:
    """Column by field, where a heading is a field's name or one that is known for it; each column once."""
    free = {plain(column.name): column.name for column in columns if column.kind != "empty"}
    found: dict[str, str] = {}
    for name in FACTS[fact].row.model_fields:
        for heading in (name, *HEADINGS.get(name, ())):
            if (column := free.pop(plain(heading), None)) is not None:
                found[name] = column
                break
    return found


def as_source_file(wanted: ColumnMap) -> str:
    """The YAML; ``read_source`` says what is wrong with it."""
    kind = FACTS.get(wanted.fact)
    fields = kind.row.model_fields if kind is not None else {}
    mapped: dict[str, Any] = {}
    for name in [*fields, *(set(wanted.columns) - set(fields))]:
        if name in wanted.constants:
            mapped[name] = {"const": wanted.constants[name]}
        elif name in wanted.columns and name != "source_key":
            mapped[name] = _value(wanted, name)
    stream = {
        "fact": wanted.fact,
        "call": {"files": f"{wanted.source}/*"},
        "key": _path(wanted.key[0]) if len(wanted.key) == 1 else {"join": [_path(name) for name in wanted.key]},
        "map": mapped,
    }
    source = {"source": wanted.source, "kind": "file", "timezone": wanted.timezone, "streams": [stream]}
    return yaml.safe_dump(source, allow_unicode=True, sort_keys=False, width=120)


def _value(wanted: ColumnMap, name: str) -> Any:
    path = _path(wanted.columns[name])
    if wanted.values.get(name):
        return {"path": path, "values": dict(wanted.values[name])}
    kind = FACTS.get(wanted.fact)
    form = _FORMS.get(field_kind(kind.row, name)) if kind is not None and name in kind.row.model_fields else None
    return path if form is None else {"path": path, "as": form}


def _path(column: str) -> str:
    """The heading as a path of one step."""
    return re.sub(r"([.\[\]\\^])", r"\\\1", column)
