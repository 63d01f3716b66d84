"""Data keys, each wrapped by a master key that the database does not have."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from server.store.metadata import metadata

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # part of every sealed value
    Column("purpose", Text, nullable=False),  # seal | digest
    Column("suite", Text, nullable=False),  # intl | sm
    Column("master", Text, nullable=False),  # name of the key that wraps it
    Column("wrapped", LargeBinary, nullable=False),
    Column("uses", BigInteger, nullable=False),  # values it has sealed
    Column("created_ms", BigInteger, nullable=False),
    Column("retired_ms", BigInteger),  # since when it only reads
)
