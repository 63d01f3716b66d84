"""Calendars as versions: what kind of day a date is, for a country or company."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from server.store.metadata import metadata, only_where

calendars = Table(
    "calendars",
    metadata,
    Column("id", Text, primary_key=True),  # such as CN or CN-XJ
    Column("country", Text, nullable=False),  # ISO 3166 alpha-2; CN's years are held to the 13 legal days
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("company", Boolean, nullable=False),  # that of every site that names none
    Index("ix_calendars_company", "company", unique=True, **only_where("company")),
)

calendar_editions = Table(
    "calendar_editions",
    metadata,
    Column("calendar", Text, ForeignKey("calendars.id"), nullable=False),
    Column("year", Integer, nullable=False),
    Column("edition", Integer, nullable=False),  # 1, 2 ... of a year; the highest is in force
    Column("days", JSON, nullable=False),  # [{"date": "2026-01-01", "type": "statutory", "name_zh": .., "name_en": ..}]
    Column("local_rule", Text),  # names what grants more than the 13 legal holidays
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("calendar", "year", "edition"),
)
