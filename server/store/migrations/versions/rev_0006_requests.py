"""Requests, approvals and leave balances."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.create_table(
        "approval_chains",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_approval_chains")),
    )
    op.create_table(
        "leave_types",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.Column("balance", sa.Text(), nullable=False),
        sa.Column("unit_min", sa.Integer(), nullable=False),
        sa.Column("file_from_min", sa.Integer(), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leave_types")),
    )
    op.create_table(
        "leave_grants",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("leave_type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_leave_grants_employee")),
        sa.ForeignKeyConstraint(["leave_type"], ["leave_types.id"], name=op.f("fk_leave_grants_leave_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leave_grants")),
        sa.UniqueConstraint("employee", "leave_type", "key", name=op.f("uq_leave_grants_employee_leave_type_key")),
    )
    op.create_table(
        "requests",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("leave_type", sa.Text(), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=True),
        sa.Column("to_comp", sa.Boolean(), nullable=False),
        sa.Column("about", sa.BigInteger(), nullable=True),
        sa.Column("other", sa.Text(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("chain", sa.JSON(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("step_due_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["about"], ["requests.id"], name=op.f("fk_requests_about")),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_requests_employee")),
        sa.ForeignKeyConstraint(["leave_type"], ["leave_types.id"], name=op.f("fk_requests_leave_type")),
        sa.ForeignKeyConstraint(["other"], ["employees.id"], name=op.f("fk_requests_other")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_employee_from", "requests", ["employee", "from_ms"], unique=False)
    op.create_index(
        "ix_requests_pending",
        "requests",
        ["step_due_ms"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "delegations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("user", sa.BigInteger(), nullable=False),
        sa.Column("delegate", sa.BigInteger(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["delegate"], ["users.id"], name=op.f("fk_delegations_delegate")),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_delegations_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    op.create_index("ix_delegations_delegate", "delegations", ["delegate"], unique=False)
    op.create_table(
        "request_files",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["requests.id"], name=op.f("fk_request_files_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_files")),
    )
    op.create_index("ix_request_files_request", "request_files", ["request"], unique=False)
    op.create_table(
        "request_steps",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("for_user", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["requests.id"], name=op.f("fk_request_steps_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_steps")),
    )
    op.create_index("ix_request_steps_request", "request_steps", ["request"], unique=False)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
