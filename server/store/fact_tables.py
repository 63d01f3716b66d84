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
        PrimaryKeyConstraint("source", "source_key"),
        Index(f"ix_fact_{kind.name}_occurred", "occurred_at_ms"),
        Index(f"ix_fact_{kind.name}_person", "source", "employee_key"),
        *(_joined(kind.name, key) for key in keys_joined(kind.name)),
        *_FURTHER.get(kind.name, ()),
    )


def _joined(fact: str, key: tuple[str, ...]) -> Index:
    """Over the rows that have such a key: many facts leave most of them empty."""
    return Index(f"ix_fact_{fact}_{'_'.join(key)}", *key, **only_where(f"{key[-1]} IS NOT NULL"))


_FURTHER = {
    "sales_order": (
        Index("ix_fact_sales_order_merged", "customer", **only_where("customer IS NOT NULL")),
        Index("ix_fact_sales_order_first", "customer_key", **only_where("first_valid IS NOT NULL")),
    )
}


FACT_TABLES: dict[str, Table] = {name: _table(kind) for name, kind in FACTS.items()}
