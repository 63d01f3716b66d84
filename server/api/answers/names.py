"""Bilingual names."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.api.views.base import NameView
from server.people.position_names import shipped_name
from server.store import post_queries
from server.store.people_queries import NameRow

PositionNames: TypeAlias = Callable[[str], NameView]


def names(rows: Iterable[NameRow]) -> list[NameView]:
    """The same as views."""
    return [NameView.model_validate(row) for row in rows]


async def position_names(connection: AsyncConnection) -> PositionNames:
    """How a position is called: as the company named it, else as it ships, else by its id."""
    stored = await post_queries.named_positions(connection)

    def named(position: str) -> NameView:
        zh, en = stored.get(position) or shipped_name(position)
        return NameView(id=position, name_zh=zh, name_en=en)

    return named
