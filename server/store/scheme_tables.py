"""Schemes of weights: what people wrote, who let it come into force, and scores of several posts in a period."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from server.store.metadata import id_column, metadata

scheme_drafts = Table(
    "scheme_drafts",
    metadata,
    id_column(),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),  # draft | submitted | published | rejected | withdrawn
    Column("based_on", Integer, nullable=False),  # version that its author looked at, 0 for what ships
    Column("revision", Integer, nullable=False),  # counts every saving
    Column("version", Integer, unique=True),  # of those that were published, 1, 2 ... without gaps
    Column("first_on", Date),  # first day that it changes
    Column("written_by", Text, nullable=False),
    Column("authors", JSON, nullable=False),  # everybody who wrote on it: login:... and employee:...
    Column("written_ms", BigInteger, nullable=False),
    Column("submitted_ms", BigInteger),
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("note", Text, nullable=False),  # of whoever decided
    Index("ix_scheme_drafts_state", "state"),
)

scheme_changes = Table(
    "scheme_changes",
    metadata,
    Column("draft", BigInteger, ForeignKey("scheme_drafts.id"), nullable=False),
    Column("kind", Text, nullable=False),  # set | season | own | indicator
    Column("key", Text, nullable=False),
    Column("item", JSON(none_as_null=True)),  # none: taken back
    PrimaryKeyConstraint("draft", "kind", "key"),
)

score_segments = Table(  # of people with several posts in a period; ``scores`` has those of the last one
    "score_segments",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("number", Integer, nullable=False),  # 0, 1 ... by date
    Column("from_on", Date, nullable=False),
    Column("to_on", Date, nullable=False),
    Column("department", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("points", Text),  # exact, numerator/denominator; none while data is insufficient
    Column("coverage", Text, nullable=False),  # exact, numerator/denominator
    Column("scores", JSON, nullable=False),  # each as a row of ``scores``
    PrimaryKeyConstraint("employee", "period", "number"),
)
