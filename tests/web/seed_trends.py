"""Thirty past weeks of two departments, put straight into the tables of facts: what trends are drawn from.

Customer service: the handling takes as many minutes as the first reply took seconds two weeks before. Logistics: of 20
parcels as many are on time as stops are served in order.
"""

from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine

from server.store.fact_tables import FACT_TABLES
from shared.clock import to_ms
from tests.web.company import Company

ZONE = ZoneInfo("Asia/Shanghai")
WEEKS = 30
A_WEEK = 20


def add_trends(company: Company, today: date) -> None:
    """Up to last Sunday."""
    random = Random(4)
    reply = [20 + number for number in random.sample(range(40), WEEKS + 2)]
    good = [5 + random.randrange(15) for _ in range(WEEKS)]
    first = today - timedelta(days=today.weekday() + 7 * WEEKS)
    tickets, parcels, stops = [], [], []
    for week in range(WEEKS):
        for number in range(A_WEEK):
            at = to_ms(datetime.combine(first + timedelta(days=7 * week + number % 7), time(10), ZONE))
            key = f"trend-{week}-{number}"
            solved: dict[str, Any] = {"solved_at_ms": at, "first_solved_at_ms": at, "rated_at_ms": at}
            measured = {"first_reply_business_seconds": reply[week + 2], "handle_seconds": 60 * reply[week]}
            rated = {"csat": 4.2 + random.random() / 2, "created_at_ms": at, "status": "solved"}
            tickets.append(_row(key, "customer_service", solved | measured | rated))
            late = 3_600_000 if number >= good[week] else -3_600_000
            parcel = {"tracking_no": key, "status": "delivered", "promised_at_ms": at, "delivered_at_ms": at + late}
            parcels.append(_row(key, "logistics", parcel))
            stop = {"route_key": key, "stop_no": number, "served_no": number + (late > 0), "window_from_ms": at}
            stops.append(_row(key, "logistics", stop))
    with create_engine(f"sqlite:///{company.database}").begin() as connection:
        for fact, rows in {"ticket": tickets, "shipment": parcels, "route_stop": stops}.items():
            connection.execute(FACT_TABLES[fact].insert(), rows)


def _row(key: str, department: str, own: dict[str, Any]) -> dict[str, Any]:
    kept = {"source": "trend", "source_key": key, "payload_hash": b"", "first_seen_ms": 1, "changed_ms": 1, "run": 1}
    return {**kept, "deleted": False, "org_key": department, **own}
