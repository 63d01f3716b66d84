"""Pages of a list."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field


class Page(BaseModel):
    """Which rows of a list."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, le=10_000_000)


PageDep = Annotated[Page, Query()]
