"""Calendars as versions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("sites", sa.Column("calendar", sa.Text(), nullable=True))
    op.create_table(
        "calendars",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("company", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    op.create_index(
        "ix_calendars_company",
        "calendars",
        ["company"],
        unique=True,
        sqlite_where=sa.text("company"),
        postgresql_where=sa.text("company"),
    )
    op.create_table(
        "calendar_editions",
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("local_rule", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["calendar"], ["calendars.id"], name=op.f("fk_calendar_editions_calendar")),
        sa.PrimaryKeyConstraint("calendar", "year", "edition", name=op.f("pk_calendar_editions")),
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
