"""Bilingual names."""

from collections.abc import Iterable

from server.api.views.base import NameView
from server.store.people_queries import NameRow


def names(rows: Iterable[NameRow]) -> list[NameView]:
    """The same as views."""
    return [NameView.model_validate(row) for row in rows]
