"""Closed months: when and by whom, what was decided or asked, what came later, who agreed."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from server.store.metadata import id_column, metadata, only_where

closings = Table(  # a month is closed while it has a row that was not opened again
    "closings",
    metadata,
    id_column(),
    Column("month", Text, nullable=False),  # YYYY-MM
    Column("closed_ms", BigInteger, nullable=False),
    Column("closed_by", Text, nullable=False),
    Column("summary", JSON, nullable=False),  # the checklist as it stood
    Column("reopen_reason", Text),
    Column("reopen_asked_by", Text),
    Column("reopen_asked_ms", BigInteger),
    Column("reopened_by", Text),  # never who asked
    Column("reopened_ms", BigInteger),
    Index("ix_closings_closed", "month", unique=True, **only_where("reopened_ms IS NULL")),
)

decisions = Table(  # what pay makes of pending minutes (AR-35); ends when the record becomes another
    "decisions",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),  # of the record decided upon
    Column("minutes", JSON, nullable=False),  # of the record decided upon: those that are not 0
    Column("absent_min", Integer, nullable=False),
    Column("worked_min", Integer, nullable=False),
    Column("how", Text, nullable=False),  # default | manual
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("employee", "date", "part"),
)

adjustments = Table(  # what closed months would say now (AR-34)
    "adjustments",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("posted_to", Text, nullable=False),  # YYYY-MM
    Column("status_from", Text),
    Column("status_to", Text),
    Column("delta", JSON, nullable=False),  # difference of every changed number, by its name in Minutes
    Column("computed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("employee", "date", "part", "posted_to"),
    Index("ix_adjustments_posted_to", "posted_to"),
)

confirmations = Table(  # 员工确认
    "confirmations",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("month", Text, nullable=False),
    Column("state", Text, nullable=False),  # asked | confirmed | objected
    Column("asked_ms", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("answered_ms", BigInteger),
    Column("comment", Text, nullable=False),
    Column("sums", JSON, nullable=False),  # the numbers of the month that were shown when it was answered
    PrimaryKeyConstraint("employee", "month"),
    Index("ix_confirmations_month", "month"),
)

day_questions = Table(  # 请员工说明: somebody asked the employee what happened on a day
    "day_questions",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("note", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("employee", "date"),
)

held_decisions = Table(  # what a person made of a punch that AR-3 or AR-4 held
    "held_decisions",
    metadata,
    Column("punch", BigInteger, ForeignKey("punches.id"), primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),  # released | dismissed
    Column("held", Text, nullable=False),  # the rule that held it
    Column("true_ms", BigInteger),  # of a released one: when it was
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
