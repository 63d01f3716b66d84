"""Overtime, leave by type and former versions of day records."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("attendance_days", sa.Column("ot_15_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("ot_20_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("ot_30_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("comp_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("extra_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("trip_min", sa.Integer(), server_default="0", nullable=False))
    op.add_column("attendance_days", sa.Column("leaves", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("attendance_days", sa.Column("day_type", sa.Text(), server_default="workday", nullable=False))
    op.add_column("attendance_days", sa.Column("system", sa.Text(), server_default="standard", nullable=False))
    op.add_column("terminals", sa.Column("log_seq", sa.BigInteger()))
    op.add_column("terminals", sa.Column("log_second", sa.BigInteger()))
    op.add_column("punches", sa.Column("learned_ms", sa.BigInteger()))
    op.create_table(
        "day_versions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("minutes", sa.JSON(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.Column("replaced_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_day_versions_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_day_versions")),
    )
    op.create_index("ix_day_versions_employee_date", "day_versions", ["employee", "date"], unique=False)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
