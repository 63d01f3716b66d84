"""Rows of facts whose numbers may lie beyond what is sensible: for those that a person accepts as they are."""

import functools
from typing import Annotated, Any, get_args, get_origin

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from server.facts.fields import Fact

_STORED = Field(ge=-(2**63), le=2**63 - 1)
"""What a column holds, and no infinity."""


@functools.cache
def widened(row: type[Fact]) -> type[Fact]:
    """The same fields and types; a number has to fit its column, not its range."""
    fields: dict[str, Any] = {name: (_wide(_whole(field)), field.default) for name, field in row.model_fields.items()}
    return create_model(row.__name__, __base__=row, **fields)


def _whole(field: FieldInfo) -> Any:
    """The annotation with what pydantic has taken out of it."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _wide(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        kind, *told = get_args(annotation)
        kept = [one for one in told if not _is_range(one)]
        kept += [_STORED] if len(kept) < len(told) else []
        return Annotated[_wide(kind), *kept] if kept else _wide(kind)
    parts = get_args(annotation)
    if type(None) in parts:
        return functools.reduce(lambda one, other: one | other, (_wide(part) for part in parts))
    return annotation


def _is_range(told: Any) -> bool:
    metadata = told.metadata if isinstance(told, FieldInfo) else [told]
    return any(hasattr(one, "ge") or hasattr(one, "le") for one in metadata)
