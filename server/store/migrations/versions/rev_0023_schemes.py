"""Schemes of weights that people write and publish, and scores of several posts in a period."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.create_table(
        "scheme_drafts",
        sa.Column("id", ID, sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("written_by", sa.Text(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("written_ms", sa.BigInteger(), nullable=False),
        sa.Column("submitted_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheme_drafts")),
        sa.UniqueConstraint("version", name=op.f("uq_scheme_drafts_version")),
    )
    op.create_index("ix_scheme_drafts_state", "scheme_drafts", ["state"])
    op.create_table(
        "scheme_changes",
        sa.Column("draft", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("item", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["draft"], ["scheme_drafts.id"], name=op.f("fk_scheme_changes_draft")),
        sa.PrimaryKeyConstraint("draft", "kind", "key", name=op.f("pk_scheme_changes")),
    )
    op.create_table(
        "score_segments",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("points", sa.Text(), nullable=True),
        sa.Column("coverage", sa.Text(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_score_segments_employee")),
        sa.PrimaryKeyConstraint("employee", "period", "number", name=op.f("pk_score_segments")),
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
