"""A courier with a thousand parcels of January, 14 of them damaged, and a seller with sales: both to be closed."""

import json
from typing import Any

from sqlalchemy import update

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.scoring.target import Target
from server.services.accounts import Caller
from server.services.act import Act
from server.services.score_periods import ADVISORY, close_period
from server.services.sources import put_source
from server.services.targets import set_targets
from server.store import link_queries, period_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.period_queries import ClosedRow, PeriodAdjustment, PeriodClosing
from server.store.source_tables import source_streams
from tests.server.services.test_attributes import at as moment
from tests.server.services.test_attributes import day, put
from tests.server.services.world import at, load
from tests.support.with_keys import make_keys

COMPANY = {
    "departments": [
        {"id": "logistics", "name_zh": "物流", "name_en": "Logistics"},
        {"id": "business", "name_zh": "业务", "name_en": "Business"},
        {"id": "hr", "name_zh": "人力", "name_en": "HR"},
    ],
    "employees": [
        {
            "id": name,
            "name": name.title(),
            "department": department,
            "site": "d1",
            "position": position,
            "joined_on": "2025-01-01",
        }
        for name, department, position in (
            ("wang", "logistics", "courier"),
            ("qian", "business", "sales_rep"),
            ("ren", "hr", "recruiter"),
        )
    ],
}
TMS = """
source: tms
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [shipment, damage_report, sales_order, refund, requisition, candidate_stage]}
"""
JANUARY, CLOSED, LATE = "2026-01", "2026-02-20 09:00", "2026-03-03 09:00"
HR = Viewer(1, "hr", "HR", "hr", None, frozenset(), b"")
ROOT = Viewer(2, "root", "Root", "administrator", None, frozenset(), b"")
BOSS = Viewer(3, "boss", "Boss", "manager", None, frozenset({"logistics"}), b"")
WANG = Viewer(4, "wang", "Wang", "employee", "wang", frozenset(), b"")
QIAN = Viewer(5, "qian", "Qian", "employee", "qian", frozenset(), b"")


def act(viewer: Viewer, now: str = CLOSED) -> Act:
    """A call of that person then."""
    return Act(viewer, Caller("10.0.0.1", "r1", at(now)))


async def company(db: Database, now: str = CLOSED) -> None:
    """Three people and a business system that was heard of, and keys."""
    await make_keys(db)
    await load(db)
    await load(db, json.dumps(COMPANY).encode())
    await put_source(db, TMS, "tms.yaml", Entry(at(now), "test", "test", ""))
    await heard(db, now)
    async with db.writing() as connection:
        for name in ("wang", "qian"):
            await link_queries.put_link(connection, LinkRow("tms", name, day("2025-01-01"), None, name))


async def heard(db: Database, now: str) -> None:
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=at(now)))


async def parcels(db: Database, number: int = 1_000, damaged: int = 14) -> None:
    """Delivered in January as promised, the first of them damaged."""
    base = {"status": "delivered", "promised_on": day("2026-01-10"), "delivered_at": moment("2026-01-10 10:00")}
    rows = [{"source_key": str(n), "tracking_no": str(n), "employee_key": "wang", **base} for n in range(number)]
    await put(db, "shipment", *rows, source="tms")
    await put(db, "damage_report", *(damage(n) for n in range(damaged)), source="tms")


def damage(parcel: int, point: str = "return_inspection") -> dict[str, Any]:
    """Confirmed as caused by logistics."""
    row = {"source_key": f"d{parcel}", "tracking_no": str(parcel), "point": point, "responsibility": "logistics"}
    return row | {"occurred_on": day("2026-01-11"), "confirmed_on": day("2026-01-12")}


async def sales(db: Database, key: str, minor: int, on: str = "2026-01-15 10:00") -> None:
    """A paid order of the seller."""
    row = {"source_key": key, "order_no": key, "status": "open", "currency": "CNY", "amount_gross_minor": minor}
    row |= {"amount_net_minor": minor, "customer_key": "c", "employee_key": "qian"}
    await put(db, "sales_order", row | {"paid_at": moment(on)}, source="tms")


async def target(db: Database, value: str = "1000000") -> None:
    """The seller's."""
    entry = Entry(at(CLOSED), "test", "test", "")
    await set_targets(db, Scope.system(), [Target("biz_sales_amount", "qian", day("2026-01-01"), value)], entry)


async def close(db: Database, period: str = JANUARY, now: str = CLOSED, department: str | None = None) -> PeriodClosing:
    """Close with everything accepted that may be."""
    await heard(db, now)
    return await close_period(db, act(HR, now), period, department, accepted=ADVISORY)


async def card(db: Database, employee: str = "wang", period: str = JANUARY) -> ClosedRow:
    """The newest version."""
    async with db.reading() as connection:
        return (await period_queries.versions(connection, Scope.system(), employee, period))[0]


async def adjustments(db: Database, posted_to: str | None = None) -> list[PeriodAdjustment]:
    async with db.reading() as connection:
        return await period_queries.adjustments(connection, Scope.system(), posted_to=posted_to)
