"""What people were, are and will be: posts and contracts by date; files that people were read from."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from server.store.metadata import id_column, metadata, only_where

positions = Table(
    "positions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
)

posts = Table(  # one row per change; the newest that began is also in ``employees``
    "posts",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("from_on", Date, nullable=False),
    Column("department", Text, ForeignKey("departments.id"), nullable=False),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("position", Text, nullable=False),
    PrimaryKeyConstraint("employee", "from_on"),
    Index("ix_posts_from_on", "from_on"),
)

contracts = Table(
    "contracts",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("kind", Text, nullable=False),  # fixed_term | open_ended | project | part_time | dispatch | internship
    Column("from_on", Date, nullable=False),
    Column("to_on", Date),  # none: open-ended
    Column("work_system", Text, nullable=False),  # standard | comprehensive | untimed
    Column("hours_period", Text),  # month | quarter | year, of comprehensive hours (AR-31)
    Index("ix_contracts_employee_from_on", "employee", "from_on"),
)

imports = Table(  # a file that somebody brought: looked at, then applied, maybe undone
    "imports",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),  # people | roster | calendar | month_result
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("mapping", JSON, nullable=False),  # column heading of each field
    Column("options", JSON, nullable=False),
    Column("state", Text, nullable=False),  # uploaded | applied | undone
    Column("rows", Integer, nullable=False),
    Column("before", JSON, nullable=False),  # what was there, to undo
    Column("result", JSON, nullable=False),  # counts of what was added and changed
    Column("actor", Text, nullable=False),
    Column("uploaded_ms", BigInteger, nullable=False),
    Column("applied_ms", BigInteger),
    Column("undone_ms", BigInteger),
    Index("ix_imports_applied", "kind", "applied_ms", **only_where("state = 'applied'")),
)
