"""What people ask for and who decides: leave, corrections, overtime, trips, swaps."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from server.store.metadata import id_column, metadata, only_where

leave_types = Table(
    "leave_types",
    metadata,
    Column("id", Text, primary_key=True),  # annual, sick, personal, comp ...
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("paid", Boolean, nullable=False),
    Column("balance", Text, nullable=False),  # none | granted | annual (accrued by law) | comp (banked overtime)
    Column("unit_min", Integer, nullable=False),  # smallest step in minutes
    Column("file_from_min", Integer),  # a document is needed from so many minutes on
    Column("settings", JSON, nullable=False),  # carry-over: {"carry_until": "03-31", "carry_most_min": 2400}
    Column("retired", Boolean, nullable=False),
)

leave_grants = Table(  # what a person was given or lost; what was taken is in ``requests``
    "leave_grants",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("leave_type", Text, ForeignKey("leave_types.id"), nullable=False),
    Column("kind", Text, nullable=False),  # grant | accrual | carried | lapsed | paid_out | opening
    Column("minutes", Integer, nullable=False),  # negative for what was lost
    Column("from_on", Date, nullable=False),
    Column("until_on", Date),  # inclusive; none: for good
    Column("key", Text, nullable=False),  # what it is for, such as annual:2026; once per person and type
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("employee", "leave_type", "key"),
)

requests = Table(
    "requests",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),  # leave | correction | overtime | trip | field | swap | leave_end
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("leave_type", Text, ForeignKey("leave_types.id")),
    Column("from_ms", BigInteger, nullable=False),  # of a correction: the instant, in both
    Column("to_ms", BigInteger, nullable=False),
    Column("minutes", Integer, nullable=False),  # scheduled minutes it covers when it was asked for
    Column("direction", SmallInteger),  # of a correction
    Column("to_comp", Boolean, nullable=False),  # overtime to be banked (AR-27)
    Column("about", BigInteger, ForeignKey("requests.id")),  # of leave_end (销假): the leave
    Column("other", Text, ForeignKey("employees.id")),  # of a swap: with whom
    Column("detail", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending | approved | refused | withdrawn | cancelled
    Column("chain", JSON, nullable=False),  # the steps as they stood when it was asked for
    Column("step", Integer, nullable=False),  # the step that waits
    Column("step_due_ms", BigInteger),  # when the step times out
    Column("created_by", Text, nullable=False),  # login
    Column("created_ms", BigInteger, nullable=False),
    Column("decided_ms", BigInteger),
    Column("cancelled_ms", BigInteger),
    Index("ix_requests_employee_from", "employee", "from_ms"),
    Index("ix_requests_pending", "step_due_ms", **only_where("state = 'pending'")),
)

request_steps = Table(  # what was decided, step by step; never changed
    "request_steps",
    metadata,
    id_column(),
    Column("request", BigInteger, ForeignKey("requests.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column(
        "decision", Text, nullable=False
    ),  # approved | refused | escalated | withdrawn | cancelled | asked_back | commented
    Column("actor", Text, nullable=False),  # login, or system
    Column("for_user", Text),  # whose delegate the actor was
    Column("comment", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("ix_request_steps_request", "request"),
)

request_files = Table(
    "request_files",
    metadata,
    id_column(),
    Column("request", BigInteger, ForeignKey("requests.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("ix_request_files_request", "request"),
)

approval_chains = Table(
    "approval_chains",
    metadata,
    Column("kind", Text, primary_key=True),  # as of requests
    # [{"role": "manager", "from_min": 0, "hours": 48, "then": "escalate"}]: who, for how long a request, time-out
    Column("steps", JSON, nullable=False),
    Column("settings", JSON, nullable=False),  # of corrections: {"per_month": 3, "within_days": 7}
)

delegations = Table(
    "delegations",
    metadata,
    id_column(),
    Column("user", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("delegate", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Index("ix_delegations_delegate", "delegate"),
)
