"""What kind of value a field of a fact takes, for whoever makes columns, pages or files of it."""

import datetime as dt
import types
import typing
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

FieldKind: TypeAlias = Literal["text", "choice", "whole", "number", "minor", "flag", "day", "instant"]
_KINDS: dict[type, FieldKind] = {
    str: "text",
    int: "whole",
    float: "number",
    bool: "flag",
    dt.date: "day",
    dt.datetime: "instant",
}


def field_kind(row: type[BaseModel], field: str) -> FieldKind:
    """``minor`` for money in minor units, ``choice`` for one of a few texts."""
    plain = plain_type(row.model_fields[field].annotation)
    if isinstance(plain, tuple):
        return "choice"
    return "minor" if plain is int and field.endswith("_minor") else _KINDS[plain]


def choices_of(row: type[BaseModel], field: str) -> tuple[str, ...]:
    """The texts that a choice may be; empty for other kinds."""
    plain = plain_type(row.model_fields[field].annotation)
    return plain if isinstance(plain, tuple) else ()


def plain_type(wanted: Any) -> type | tuple[str, ...]:
    """What stands behind an annotation without Optional and Annotated; of a choice its texts, choices joined."""
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        parts = [plain_type(part) for part in typing.get_args(wanted) if part is not type(None)]
        texts = [text for part in parts if isinstance(part, tuple) for text in part]
        return tuple(texts) if texts else parts[0]
    if origin is typing.Literal:
        return tuple(str(value) for value in typing.get_args(wanted))
    if origin is typing.Annotated:
        return plain_type(typing.get_args(wanted)[0])
    return wanted if isinstance(wanted, type) else str
