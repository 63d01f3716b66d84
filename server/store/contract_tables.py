"""Beside contracts themselves: when they are spoken of ahead, and by what the people of a post are measured."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from server.store.metadata import metadata

contract_reminders = Table(  # one row, with id 1
    "contract_reminders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("expiry_days", Integer, nullable=False),
    Column("probation_days", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)

post_indicators = Table(
    "post_indicators",
    metadata,
    Column("position", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("accepted_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("position", "indicator"),
)
