"""Pages of a list."""

from typing import Annotated, TypeAlias

from fastapi import Query

Limit: TypeAlias = Annotated[int, Query(ge=1, le=500)]
Offset: TypeAlias = Annotated[int, Query(ge=0, le=10_000_000)]
