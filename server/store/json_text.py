"""JSON columns as the text that is stored, for whoever reads many rows: they turn it into rows in another thread."""

from typing import Any

from sqlalchemy import JSON, ColumnElement, Table, Text, cast


def columns_as_text(table: Table) -> list[ColumnElement[Any]]:
    """All columns of a table by name; without the cast PostgreSQL's driver reads JSON as rows come in."""
    return [cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column for column in table.c]
