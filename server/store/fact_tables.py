"""One table for each fact, made from its row: what a field is in Python decides what it is in the database."""

import datetime as dt
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from server.facts.catalogue import FACTS, SEALED, FactKind
from server.facts.field_kinds import plain_type
from server.facts.fields import Fact
from server.facts.resolve.rules import keys_joined
from server.facts.resolved import RESOLVED, Resolved
from server.store.metadata import metadata, only_where

_COLUMNS: dict[type, Any] = {
    str: Text,
    int: BigInteger,
    float: Double,
    bool: Boolean,
    dt.date: Date,
    dt.datetime: BigInteger,
}


def column_name(fact: str, field: str) -> str:
    """Column of a field: instants are milliseconds and say so."""
    return _name(FACTS[fact].row, field)


def _name(row: type[Fact | Resolved], field: str) -> str:
    kind = _kind_of(row, field)
    return f"{field}_ms" if kind is dt.datetime else field


def _kind_of(row: type[Fact | Resolved], field: str) -> type:
    """Plain type behind the annotation; a choice of texts is text."""
    plain = plain_type(row.model_fields[field].annotation)
    return str if isinstance(plain, tuple) else plain


def _table(kind: FactKind) -> Table:
    sealed = SEALED.get(kind.name, ())
    own = [
        Column(_name(kind.row, field), _COLUMNS[_kind_of(kind.row, field)], nullable=not info.is_required())
        for field, info in kind.row.model_fields.items()
        if field not in Fact.model_fields and field not in sealed
    ]
    added = [column for column in own if (kind.name, column.name) in _ADDED]
    own = [column for column in own if (kind.name, column.name) not in _ADDED]
    resolved = RESOLVED.get(kind.name, Resolved)
    settled = [Column(_name(resolved, name), _COLUMNS[_kind_of(resolved, name)]) for name in resolved.model_fields]
    required = {name for name, info in kind.row.model_fields.items() if info.is_required()}
    return Table(
        f"fact_{kind.name}",
        metadata,
        Column("source", Text, nullable=False),
        Column("source_key", Text, nullable=False),
        Column("occurred_at_ms", BigInteger, nullable="occurred_at" not in required),
        Column("source_updated_at_ms", BigInteger),
        Column("employee_key", Text, nullable="employee_key" not in required),
        Column("employee", Text, ForeignKey("employees.id")),  # by the identity links; none: unattributed
        Column("org_key", Text, nullable="org_key" not in required),
        *own,
        *([Column("sealed", LargeBinary)] if sealed else []),
        Column("payload_hash", LargeBinary(16), nullable=False),
        Column("first_seen_ms", BigInteger, nullable=False),
        Column("changed_ms", BigInteger, nullable=False),
        Column("run", BigInteger, nullable=False),
        Column("deleted", Boolean, nullable=False),
        *settled,
        *added,
        PrimaryKeyConstraint("source", "source_key"),
        Index(f"ix_fact_{kind.name}_occurred", "occurred_at_ms"),
        Index(f"ix_fact_{kind.name}_person", "source", "employee_key"),
        *(_joined(kind.name, key) for key in keys_joined(kind.name)),
        *_FURTHER.get(kind.name, ()),
        *(_counted(kind.name, label, terms) for label, terms in _COUNTED.get(kind.name, {}).items()),
        postgresql_with=_SOON_VISIBLE if any(fact == kind.name for fact, _ in _READ) else None,
    )


_ADDED = {("campaign_event", "ends_on")}
"""Columns that tables of an older version got at their end."""


def _joined(fact: str, key: tuple[str, ...]) -> Index:
    """Over the rows that have such a key: many facts leave most of them empty."""
    return Index(f"ix_fact_{fact}_{'_'.join(key)}", *key, **only_where(f"{key[-1]} IS NOT NULL"))


def _counted(fact: str, label: str, terms: tuple[str, ...]) -> Index:
    """For counting indicators: by whose rows they are, or by a date or key that rows of everybody are looked for."""
    seldom = next((term for term in terms if term in _SELDOM), None)
    where = only_where(f"{seldom} IS NOT NULL") if seldom else {}
    if seldom in _KNOWN:
        del where["postgresql_where"]
    columns = (text(term) if "(" in term else term for term in terms)
    return Index(f"ix_fact_{fact}_{label}", *columns, **where, postgresql_include=_read(fact, label))


def _read(fact: str, label: str) -> tuple[str, ...]:
    """Every count leaves deleted rows out."""
    read = _READ.get((fact, label), ())
    return (*read, "deleted") if read else ()


_FURTHER = {
    "sales_order": (
        Index("ix_fact_sales_order_merged", "customer", **only_where("customer IS NOT NULL")),
        Index("ix_fact_sales_order_first", "customer_key", **only_where("first_valid IS NOT NULL")),
    ),
    "shipment": (
        Index(
            "ix_fact_shipment_promised_on",
            "employee",
            "promised_on",
            **only_where("new_promise_at_ms IS NULL AND promised_at_ms IS NULL"),
        ),
    ),
}
_COUNTED: dict[str, dict[str, tuple[str, ...]]] = {
    "audience_day": {"of": ("employee", "stat_date")},
    "campaign_event": {"of": ("employee", "occurred_at_ms")},
    "complaint": {
        "of": ("employee", "occurred_on"),
        "carried": ("coalesce(parcel_courier, order_courier)", "occurred_on"),
    },
    "content_post": {"of": ("employee", "stat_date")},
    "deal": {"touched": ("touched_by", "created_on")},
    "design_task": {"of": ("employee", "decided_at_ms")},
    "funnel_event": {"of": ("employee", "occurred_at_ms"), "designed": ("designer", "occurred_at_ms")},
    "invoice": {"of": ("employee", "due_on")},
    "ledger_entry": {"posted": ("posted_on",)},
    "refund": {"of": ("coalesce(owner, employee)", "refunded_on")},
    "route_stop": {"of": ("employee", "window_from_ms")},
    "sales_order": {
        "of": ("coalesce(owner, employee)", "paid_at_ms"),
        "sold": ("employee", "paid_at_ms"),
        "touched": ("touched_by", "paid_at_ms"),
        "paid": ("paid_at_ms",),
        "customer": ("coalesce(customer, customer_key)", "paid_at_ms"),
    },
    "shipment": {
        "of": ("employee", "coalesce(delivered_at_ms, refused_at_ms)"),
        "ended": ("coalesce(delivered_at_ms, refused_at_ms)",),
        "promised": ("employee", "coalesce(new_promise_at_ms, promised_at_ms)"),
        "shipped": ("employee", "shipped_on"),
    },
    "statement_line": {"of": ("employee", "issued_on")},
    "survey_response": {"about": ("subject", "submitted_at_ms"), "designed": ("designer", "submitted_at_ms")},
    "ticket": {
        "of": ("employee", "created_at_ms"),
        "solved": ("employee", "solved_at_ms"),
        "rated": ("employee", "coalesce(rated_at_ms, solved_at_ms)"),
    },
    "web_day": {"of": ("employee", "stat_date")},
}
"""Indexes by their name and what they are over."""
_SELDOM = frozenset({"touched_by", "designer", "subject", "paid_at_ms"})
"""Empty in many rows, which such an index leaves out: nothing is looked for that was never paid."""
_KNOWN = frozenset({"paid_at_ms"})
"""Where PostgreSQL has to know the values it is over, too: it uses nothing that it knows of those of some rows."""
_READ = {
    ("funnel_event", "of"): ("bot", "kind", "dwell_seconds", "paid_at_ms", "visitor_key", "source", "source_key"),
    ("sales_order", "of"): (
        *("owner", "employee", "status", "is_test", "customer", "customer_key", "first_valid", "fully_refunded_on"),
        *("amount_net_minor", "cost_minor"),
    ),
    ("shipment", "of"): (
        *("delivered_at_ms", "refused_at_ms", "carrier_code", "tracking_no", "source", "source_key"),
        *("damaged_on", "damaged_before_return_on", "cost_minor"),
    ),
    ("shipment", "promised"): (
        *("promised_on", "promised_at_ms", "new_promise_at_ms", "picked_up_at_ms", "delivered_at_ms"),
        *("status", "force_majeure"),
    ),
    ("shipment", "shipped"): ("order_net_minor",),
    ("ticket", "of"): (
        *("status", "first_reply_business_seconds", "first_reply_seconds"),
        *("first_solved_at_ms", "solved_at_ms", "reopened_at_ms"),
    ),
    ("ticket", "solved"): ("handle_seconds",),
    ("ticket", "rated"): ("rated_at_ms", "solved_at_ms", "csat"),
}
"""What shipped indicators read besides, of the facts with most rows: PostgreSQL keeps it in the index.

Rows of a person come in one by one, each on a page of its own; in the index a month of them is side by side.
"""
_SOON_VISIBLE = {"autovacuum_vacuum_insert_scale_factor": 0.01}
"""An index alone answers only for pages that VACUUM has been over: by default, after a fifth of a table came anew."""


FACT_TABLES: dict[str, Table] = {name: _table(kind) for name, kind in FACTS.items()}
