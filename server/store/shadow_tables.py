"""Month results of the system that Muster runs beside (shadow mode)."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from server.store.metadata import metadata

shadow_days = Table(
    "shadow_days",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("import_id", BigInteger, ForeignKey("imports.id"), nullable=False),
    Column("status", Text),  # as the other system said, translated; none: not said
    Column("said", Text, nullable=False),  # its own word
    Column("minutes", JSON, nullable=False),  # those that it tells, by their name in Minutes
    Column("first", Text),  # HH:MM
    Column("last", Text),
    Column("shift", Text),
    PrimaryKeyConstraint("employee", "date"),
    Index("ix_shadow_days_date", "date"),
)
