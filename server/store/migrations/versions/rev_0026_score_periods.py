"""Closed periods of scores, calibrations, vetoes, rewards, adjustments and appeals."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.create_table(
        "score_settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_score_settings")),
    )
    op.create_table(
        "score_closings",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("appeal_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_closings")),
    )
    op.create_index("ix_score_closings_period", "score_closings", ["period"])
    op.create_table(
        "closed_cards",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("closing", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("computed_centi", sa.Integer(), nullable=True),
        sa.Column("coverage_num", sa.BigInteger(), nullable=False),
        sa.Column("coverage_den", sa.BigInteger(), nullable=False),
        sa.Column("calibration", sa.BigInteger(), nullable=True),
        sa.Column("adjustment_centi", sa.Integer(), nullable=False),
        sa.Column("vetoes", sa.JSON(), nullable=False),
        sa.Column("veto_cap_centi", sa.Integer(), nullable=True),
        sa.Column("final_centi", sa.Integer(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("provisional", sa.JSON(), nullable=False),
        sa.Column("reward_minor", sa.BigInteger(), nullable=False),
        sa.Column("rewards", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_closed_cards_employee")),
        sa.ForeignKeyConstraint(["closing"], ["score_closings.id"], name=op.f("fk_closed_cards_closing")),
        sa.PrimaryKeyConstraint("employee", "period", "version", name=op.f("pk_closed_cards")),
    )
    newest = sa.text("newest")
    op.create_index(
        "ix_closed_cards_newest",
        "closed_cards",
        ["period", "employee"],
        unique=True,
        sqlite_where=newest,
        postgresql_where=newest,
    )
    op.create_table(
        "score_calibrations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("points_centi", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("appeal", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_score_calibrations_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_calibrations")),
    )
    op.create_index("ix_score_calibrations_card", "score_calibrations", ["period", "employee"])
    op.create_table(
        "score_vetoes",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("cap_centi", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.Column("reported_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_score_vetoes_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_vetoes")),
    )
    op.create_index("ix_score_vetoes_card", "score_vetoes", ["period", "employee"])
    op.create_table(
        "reward_tiers",
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("gain", sa.Text(), nullable=False),
        sa.Column("max_steps", sa.Integer(), nullable=False),
        sa.Column("gates", sa.JSON(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("indicator", "starts", name=op.f("pk_reward_tiers")),
    )
    op.create_table(
        "reward_bases",
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("indicator", "kind", "unit", "starts", name=op.f("pk_reward_bases")),
    )
    op.create_table(
        "score_adjustments",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("posted_to", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("numerator", sa.BigInteger(), nullable=False),
        sa.Column("denominator", sa.BigInteger(), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("no_score", sa.Text(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("total_centi", sa.Integer(), nullable=True),
        sa.Column("money_minor", sa.BigInteger(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_score_adjustments_employee")),
        sa.PrimaryKeyConstraint(
            "employee", "period", "indicator", "part", "posted_to", name=op.f("pk_score_adjustments")
        ),
    )
    op.create_index("ix_score_adjustments_posted_to", "score_adjustments", ["posted_to", "employee"])
    op.create_table(
        "score_appeals",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("filed_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_score_appeals_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_appeals")),
    )
    op.create_index("ix_score_appeals_card", "score_appeals", ["period", "employee"])
    op.create_index("ix_score_appeals_state", "score_appeals", ["state"])


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
