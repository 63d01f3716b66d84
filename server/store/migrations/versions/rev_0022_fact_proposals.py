"""Decisions about waiting rows that take two people."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("fact_quarantine", sa.Column("proposal", sa.BigInteger(), nullable=True))
    proposed = sa.text("proposal IS NOT NULL")
    op.create_index(
        "ix_fact_quarantine_proposal",
        "fact_quarantine",
        ["proposal"],
        sqlite_where=proposed,
        postgresql_where=proposed,
    )
    op.create_table(
        "fact_proposals",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("patch", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_employee", sa.Text(), nullable=True),
        sa.Column("proposed_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact_proposals")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_fact_proposals_waiting", "fact_proposals", ["id"], sqlite_where=waiting, postgresql_where=waiting
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
