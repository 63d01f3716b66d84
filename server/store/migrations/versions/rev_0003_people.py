"""Posts, contracts and imported files; dates that annual leave counts from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("employees", sa.Column("worked_since", sa.Date(), nullable=True))
    op.add_column("employees", sa.Column("email", sa.Text(), nullable=True))
    op.create_table(
        "imports",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("uploaded_ms", sa.BigInteger(), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=True),
        sa.Column("undone_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(
        "ix_imports_applied",
        "imports",
        ["kind", "applied_ms"],
        unique=False,
        sqlite_where=sa.text("state = 'applied'"),
        postgresql_where=sa.text("state = 'applied'"),
    )
    op.create_table(
        "positions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_positions")),
    )
    op.create_table(
        "contracts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("work_system", sa.Text(), nullable=False),
        sa.Column("hours_period", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_contracts_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
    )
    op.create_index("ix_contracts_employee_from_on", "contracts", ["employee", "from_on"], unique=False)
    op.create_table(
        "posts",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["department"], ["departments.id"], name=op.f("fk_posts_department")),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_posts_employee")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_posts_site")),
        sa.PrimaryKeyConstraint("employee", "from_on", name=op.f("pk_posts")),
    )
    op.create_index("ix_posts_from_on", "posts", ["from_on"], unique=False)
    op.execute(
        "INSERT INTO posts (employee, from_on, department, site, position) "
        "SELECT id, joined_on, department, site, position FROM employees"
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
