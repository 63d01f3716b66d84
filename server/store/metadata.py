"""What all table modules share; ``server.store.schema`` brings in every one of them."""

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers only INTEGER PRIMARY KEY by itself; PostgreSQL needs 64 bits.
_Id = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """A number that the database gives."""
    return Column("id", _Id, Identity(always=False), primary_key=True)


def only_where(condition: str) -> dict[str, Any]:
    """For an index over some rows."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
