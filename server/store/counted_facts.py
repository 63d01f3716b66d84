"""What indicators may count: every fact, days of attendance, and parcels that only scanners know of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Double,
    FromClause,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.types import TypeEngine

from server.attendance.record import UNFINISHED
from server.scoring.formula import Kind, Shape, Shapes
from server.scoring.window import EPOCH
from server.store.fact_tables import FACT_TABLES
from server.store.sql_terms import epoch_day, local_day_number, thousandths
from server.store.tables import attendance_days, shipments

MONTHS_OF_QUARTER = 3
EDGE = "edge"
"""Source of parcels that no business system has told of."""
_KINDS: Mapping[type[TypeEngine[Any]], Kind] = {
    Text: "text",
    BigInteger: "whole",
    Boolean: "flag",
    Date: "day",
    Double: "thousandths",
}
_HIDDEN = frozenset({"payload_hash", "first_seen_ms", "changed_ms", "run", "deleted", "sealed", "source_updated_at_ms"})
DERIVED: Mapping[str, Mapping[str, Kind]] = {
    "labour_contract": {"pay_in_band": "flag"},
    "design_task": {"working_days": "whole"},
}
"""Fields that no table has: worked out in the server when rows are counted there."""


@dataclass(frozen=True, slots=True, eq=False)
class CountedFact:
    """Rows and their fields, as ``formula.Kind`` says; the same only as itself, since columns belong to their rows."""

    rows: FromClause
    fields: Mapping[str, ColumnElement[Any]]
    shape: Shape
    days: Mapping[str, ColumnElement[Any]]
    """Days as the database keeps them, which an index can find; the fields are numbers made of them."""


@lru_cache(maxsize=256)
def counted_fact(fact: str, months: int, zone: ZoneInfo, year: int) -> CountedFact:
    """The rows of a fact for periods of so many months, in a year and zone of the company."""
    return for_period(fact, stored_fact(fact), months, zone, year)


@cache
def stored_fact(fact: str) -> CountedFact:
    """The rows of a fact, whatever they are counted for."""
    if fact == "attendance_day":
        return _described(_days())
    if fact == "shipment":
        return _described(_parcels())
    table = FACT_TABLES[fact]
    live = select(*(c for c in table.c if c.name not in _HIDDEN)).where(table.c.deleted.is_(False)).subquery(fact)
    return _described(live)


def for_period(fact: str, stored: CountedFact, months: int, zone: ZoneInfo, year: int) -> CountedFact:
    """The same rows with the fields that depend on the period or the company's clocks."""
    fields, shape = stored.fields, stored.shape
    if fact == "shipment":
        return _with_damage_seen(stored, zone, year)
    if fact == "invoice":
        name = f"received_in_{'quarter' if months == MONTHS_OF_QUARTER else 'month'}_minor"
        further = "received_in_period_minor"
        return replace(stored, fields={**fields, further: fields[name]}, shape={**shape, further: shape[name]})
    return stored


@cache
def shapes() -> Shapes:
    """Fields of everything that may be counted."""
    names = (*FACT_TABLES, "attendance_day")
    anywhere = ZoneInfo("UTC"), EPOCH.year
    return {name: {**counted_fact(name, 1, *anywhere).shape, **DERIVED.get(name, {})} for name in sorted(names)}


def _described(rows: FromClause) -> CountedFact:
    fields: dict[str, ColumnElement[Any]] = {}
    shape: dict[str, Kind] = {}
    days: dict[str, ColumnElement[Any]] = {}
    for name, column in rows.c.items():
        field, kind = _kind(name, column)
        shape[field] = kind
        if kind == "day":
            days[field] = column
        fields[field] = epoch_day(column) if kind == "day" else thousandths(column) if kind == "thousandths" else column
    return CountedFact(rows, fields, shape, days)


def _with_damage_seen(parcels: CountedFact, zone: ZoneInfo, year: int) -> CountedFact:
    """Damage that a scanner saw has an instant; its day is the company's."""
    seen = local_day_number(parcels.fields["damaged_at"], zone, date(year, 7, 1))
    found = {name: func.coalesce(parcels.fields[name], seen) for name in ("damaged_on", "damaged_before_return_on")}
    days = {name: day for name, day in parcels.days.items() if name not in found}
    return CountedFact(parcels.rows, {**parcels.fields, **found}, parcels.shape, days)


def _kind(name: str, column: ColumnElement[Any]) -> tuple[str, Kind]:
    if name.endswith("_ms"):
        return name.removesuffix("_ms"), "instant"
    if name == "period":
        return name, "month"
    return name, next(kind for type_, kind in _KINDS.items() if isinstance(column.type, type_))


def _days() -> FromClause:
    """One row a person and date, of all parts of that day."""
    day = attendance_days.c
    running = (day.status == "not_yet") | and_(day.pending_min > 0, day.status.in_(sorted(UNFINISHED)))
    minutes = ("required_min", "worked_min", "holiday_work_min", "leave_min")
    return (
        select(
            literal("attendance", Text).label("source"),
            (day.employee + "|" + cast(day.date, Text)).label("source_key"),
            day.employee,
            cast(null(), Text).label("org_key"),
            day.date,
            *(cast(func.sum(day[name]), BigInteger).label(name) for name in minutes),
            (func.sum(case((day.status != "normal", 1), else_=0)) == 0).label("normal"),
            (func.sum(case((running, 1), else_=0)) == 0).label("finished"),
        )
        .group_by(day.employee, day.date)
        .subquery("attendance_day")
    )


def _parcels() -> FromClause:
    """Shipments of business systems, and parcels that scanners saw and no system told of."""
    told = FACT_TABLES["shipment"]
    columns = [c for c in told.c if c.name not in _HIDDEN]
    unseen = cast(null(), BigInteger).label("damaged_at_ms")
    parcel = shipments.c
    known = select(literal(1)).where(told.c.tracking_no == parcel.tracking_no, told.c.deleted.is_(False)).exists()
    seen: dict[str, ColumnElement[Any]] = {
        "source": _text(literal(EDGE)),
        "source_key": parcel.tracking_no,
        "tracking_no": parcel.tracking_no,
        "employee": parcel.courier,
        "site_key": parcel.site,
        "status": _text(case((parcel.cancelled_at_ms.is_not(None), "cancelled"), else_="in_transit")),
        "promised_at_ms": parcel.due_ms,
        "picked_up_at_ms": _before_cancelled(),
        "delivered_at_ms": parcel.delivered_at_ms,
        "refused_at_ms": parcel.refused_at_ms,
        "force_majeure": _text(case((parcel.force_majeure, EDGE), else_=None)),
    }
    own = [seen.get(c.name, cast(null(), c.type)).label(c.name) for c in columns]
    edge = select(*own, parcel.damaged_at_ms).where(~known)
    return union_all(select(*columns, unseen).where(told.c.deleted.is_(False)), edge).subquery("shipment")


def _text(term: ColumnElement[str]) -> ColumnElement[str]:
    """Of the very type of the column it stands beside: else PostgreSQL reads every column of every shipment."""
    return cast(term, Text)


def _before_cancelled() -> ColumnElement[Any]:
    """A parcel that was picked up after it had been cancelled never went."""
    parcel = shipments.c
    never = and_(parcel.cancelled_at_ms.is_not(None), parcel.cancelled_at_ms < parcel.picked_up_at_ms)
    return case((never, None), else_=parcel.picked_up_at_ms)
