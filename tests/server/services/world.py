"""A small company and its events, put into the tables as the identity step leaves them."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from server.attendance.clock import judge_clock
from server.attendance.policy import DEFAULT
from server.attendance.touch import touched_dates
from server.services.company import Company, load_company, read_company
from server.services.parcels import merge_scans
from server.store import attendance_queries
from server.store.database import Database
from server.store.tables import attendance_days, gateways, punches, scans, terminals
from server.store.user_queries import user_rows
from shared.clock import to_ms
from shared.scan import ScanKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
COMPANY = b"""{
  "departments": [
    {"id": "hq", "name_zh": "\xe6\x80\xbb\xe9\x83\xa8", "name_en": "HQ"},
    {"id": "ops", "parent": "hq", "name_zh": "\xe8\xbf\x90\xe8\x90\xa5", "name_en": "Operations"}
  ],
  "sites": [{"id": "d1", "name_zh": "\xe4\xb8\x80", "name_en": "Depot 1", "zone": "Asia/Shanghai"}],
  "shifts": [
    {"id": "day", "name_zh": "a", "name_en": "Day", "start": "09:00", "end": "18:00", "breaks": [["12:00", "13:00"]]},
    {"id": "night", "name_zh": "b", "name_en": "Night", "start": "22:00", "end": "06:00"}
  ],
  "employees": [
    {"id": "e1", "name": "Fang", "department": "ops", "site": "d1", "position": "courier", "joined_on": "2026-01-01"},
    {"id": "e2", "name": "Li", "department": "hq", "site": "d1", "position": "clerk", "joined_on": "2026-01-01"}
  ],
  "roster": [
    {"employee": "e1", "date": "2026-03-02", "shift": "day"},
    {"employee": "e1", "date": "2026-03-03", "shift": "day"},
    {"employee": "e2", "date": "2026-03-02", "shift": "night"}
  ],
  "terminal_users": [
    {"user_group": "d1", "user_code": "1", "employee": "e1"},
    {"user_group": "d1", "user_code": "2", "employee": "e2"}
  ]
}"""


def at(text: str) -> int:
    """Milliseconds of a time in Shanghai, such as ``2026-03-02 08:55``."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))


async def load(db: Database, data: bytes = COMPANY, now: str = "2026-03-01 00:00") -> Company:
    """Load a company as its administrator would."""
    company = read_company(data)
    await load_company(db, "test", company, at(now))
    return company


async def add_fleet(db: Database) -> None:
    """One gateway with one terminal and one scanner at depot 1; the company must be there."""
    async with db.writing() as connection:
        gateway = {"id": "gw-aaaaaaaaaa", "name": "g", "site": "d1", "password_hash": "x", "status": "active"}
        await connection.execute(gateways.insert().values(**gateway, created_ms=0))
        for serial, kind in (("T1", "terminal"), ("S1", "scanner")):
            row = {"serial": serial, "name": serial, "site": "d1", "kind": kind, "user_group": "d1"}
            await connection.execute(terminals.insert().values(**row))


async def punch(db: Database, user_code: str, *texts: str, employee: str | None, received: str | None = None) -> None:
    """Punches at T1 as ingest and identity leave them, their days touched."""
    async with db.writing() as connection:
        for text in texts:
            at_ms = at(text)
            received_ms = at(received) if received else at_ms
            judged = judge_clock(at_ms, None, received_ms)
            row: dict[str, Any] = {"terminal": "T1", "user_code": user_code, "at_device": at_ms // 1000, "key_seq": -1}
            row |= {
                "at_ms": at_ms,
                "direction": 0,
                "method": 1,
                "raw_codes": [],
                "flags": 0,
                "gateway": "gw-aaaaaaaaaa",
            }
            row |= {"received_ms": received_ms, "employee": employee, "true_ms": judged.true_ms, "held": judged.held}
            await connection.execute(punches.insert().values(**row))
            if employee is not None and judged.true_ms is not None:
                days = touched_dates(judged.true_ms, SHANGHAI, DEFAULT)
                await attendance_queries.touch_days(connection, ((employee, day) for day in days))


async def scan(db: Database, code: str, kind: ScanKind, text: str, now: str | None = None) -> None:
    """One scan at S1, merged as identity does it."""
    async with db.writing() as connection:
        row: dict[str, Any] = {"station": "S1", "code": code, "symbology": "", "kind": kind, "at_ms": at(text)}
        row |= {"flags": 0, "received_ms": at(now or text), "gateway": "gw-aaaaaaaaaa"}
        made = await connection.execute(scans.insert().values(**row).returning(scans.c.id))
        await merge_scans(connection, [made.scalar_one()], at(now or text))


async def days(db: Database, employee: str) -> dict[date, tuple[str, int, int]]:
    """Status, worked and pending minutes by date."""
    day = attendance_days.c
    async with db.reading() as connection:
        rows = await connection.execute(select(attendance_days).where(day.employee == employee).order_by(day.date))
        return {row.date: (row.status, row.worked_min, row.pending_min) for row in rows}


async def logins(db: Database) -> list[str]:
    """All accounts."""
    async with db.reading() as connection:
        return [row.login for row in await user_rows(connection)]
