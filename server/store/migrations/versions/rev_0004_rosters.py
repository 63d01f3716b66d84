"""Patterns, attendance groups and policies; flexible shifts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("shifts", sa.Column("flex", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("shifts", sa.Column("code", sa.Text(), nullable=True))
    op.add_column("shifts", sa.Column("retired", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("roster", sa.Column("origin", sa.Text(), server_default="manual", nullable=False))
    op.create_table(
        "patterns",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("by_calendar", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patterns")),
    )
    op.create_table(
        "policies",
        sa.Column("attendance_group", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("attendance_group", "from_on", name=op.f("pk_policies")),
    )
    op.create_table(
        "attendance_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=True),
        sa.Column("anchor_on", sa.Date(), nullable=True),
        sa.Column("planned_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["pattern"], ["patterns.id"], name=op.f("fk_attendance_groups_pattern")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_groups")),
    )
    op.create_table(
        "group_members",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("attendance_group", sa.Text(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attendance_group"], ["attendance_groups.id"], name=op.f("fk_group_members_attendance_group")
        ),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_group_members_employee")),
        sa.PrimaryKeyConstraint("employee", "from_on", name=op.f("pk_group_members")),
    )
    op.create_index("ix_group_members_group", "group_members", ["attendance_group"], unique=False)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
