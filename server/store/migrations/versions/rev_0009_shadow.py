"""Results of another system."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.create_table(
        "shadow_days",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("loaded_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("minutes", sa.JSON(), nullable=False),
        sa.Column("first_min", sa.Integer(), nullable=True),
        sa.Column("last_min", sa.Integer(), nullable=True),
        sa.Column("shift", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_shadow_days_employee")),
        sa.PrimaryKeyConstraint("employee", "date", name=op.f("pk_shadow_days")),
    )
    op.create_index("ix_shadow_days_date", "shadow_days", ["date"], unique=False)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
