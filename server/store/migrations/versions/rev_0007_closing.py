"""Closed months, decisions, adjustments, confirmations."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.create_table(
        "closings",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("reopen_reason", sa.Text(), nullable=True),
        sa.Column("reopen_asked_by", sa.Text(), nullable=True),
        sa.Column("reopen_asked_ms", sa.BigInteger(), nullable=True),
        sa.Column("reopened_by", sa.Text(), nullable=True),
        sa.Column("reopened_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closings")),
    )
    op.create_index(
        "ix_closings_closed",
        "closings",
        ["month"],
        unique=True,
        sqlite_where=sa.text("reopened_ms IS NULL"),
        postgresql_where=sa.text("reopened_ms IS NULL"),
    )
    op.create_table(
        "adjustments",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("posted_to", sa.Text(), nullable=False),
        sa.Column("status_from", sa.Text(), nullable=True),
        sa.Column("status_to", sa.Text(), nullable=True),
        sa.Column("delta", sa.JSON(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_adjustments_employee")),
        sa.PrimaryKeyConstraint("employee", "date", "part", "posted_to", name=op.f("pk_adjustments")),
    )
    op.create_index("ix_adjustments_posted_to", "adjustments", ["posted_to"], unique=False)
    op.create_table(
        "confirmations",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("answered_ms", sa.BigInteger(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("sums", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_confirmations_employee")),
        sa.PrimaryKeyConstraint("employee", "month", name=op.f("pk_confirmations")),
    )
    op.create_index("ix_confirmations_month", "confirmations", ["month"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("minutes", sa.JSON(), nullable=False),
        sa.Column("absent_min", sa.Integer(), nullable=False),
        sa.Column("worked_min", sa.Integer(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_decisions_employee")),
        sa.PrimaryKeyConstraint("employee", "date", "part", name=op.f("pk_decisions")),
    )
    op.create_table(
        "day_questions",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_day_questions_employee")),
        sa.PrimaryKeyConstraint("employee", "date", name=op.f("pk_day_questions")),
    )
    op.create_table(
        "held_decisions",
        sa.Column("punch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("true_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["punch"], ["punches.id"], name=op.f("fk_held_decisions_punch")),
        sa.PrimaryKeyConstraint("punch", name=op.f("pk_held_decisions")),
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
