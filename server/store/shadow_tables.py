"""Month results of the system that Muster runs beside (shadow mode)."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from server.store.metadata import metadata

shadow_days = Table(
    "shadow_days",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("loaded_ms", BigInteger, nullable=False),  # when the file was applied that says so
    Column("status", Text),  # as the other system said, translated; none: not said
    Column("said", Text, nullable=False),  # its own word
    Column("minutes", JSON, nullable=False),  # those that it tells: late, early, absent, worked, overtime, leave
    Column("first_min", Integer),  # minutes after midnight of the date, on the wall
    Column("last_min", Integer),  # beyond 1440 on the following day
    Column("shift", Text, nullable=False),  # as it names it; empty: not said
    PrimaryKeyConstraint("employee", "date"),
    Index("ix_shadow_days_date", "date"),
)
