"""The sample company in a database of its own: fifteen working days, parcels, devices, and an account for each role."""

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Engine, Table, create_engine, insert, select, update

from muster.sample.days import DoorPunch, door_punches, last_finished_working_day, working_days
from muster.sample.parcels import make_parcels
from muster.sample.people import DEPARTMENTS, DEPOTS, SHIFTS, Person, make_people
from server.services.attendance import compute_touched
from server.services.passwords import Passwords
from server.services.scoring import score_touched
from server.store import tables
from server.store.database import Database
from server.store.migrate import upgrade
from shared.clock import system_clocks
from shared.punch import Direction, Method
from shared.wire import Health, TerminalHealth
from tests.web.seed_rosters import seed_rosters

ZONE = ZoneInfo("Asia/Shanghai")
SEED = 20
DAYS = 15
ABSENT = 6
"""People who are away on the newest day, whatever chance makes of the others: tests need some on every date."""
PASSWORD = "corn-lamp-river-62"
STRANGER = "9001"
GATEWAY = "gw-0123456789"
MANAGED = "customer_service"
"""The department of the account ``manager``."""
MINUTE_MS, DAY_MS = 60_000, 86_400_000
T = TypeVar("T")
_METHODS = {15: Method.FACE, 1: Method.FINGER, 2: Method.CARD}


@dataclass(frozen=True, slots=True)
class Company:
    """What tests compare pages with, and how they change what happened."""

    database: Path
    people: tuple[Person, ...]
    day: date
    """The newest day with results."""
    me: Person
    """Who the account ``employee`` is: a courier."""

    @property
    def department(self) -> tuple[Person, ...]:
        """The people of the account ``manager``."""
        return tuple(person for person in self.people if person.department == MANAGED)

    def punch(self, person: Person, at: datetime) -> None:
        """A punch that has just come in; the server works out the rest."""
        with _connect(self.database).begin() as connection:
            add_punch(connection, DoorPunch(DEPOTS[0].terminal, person.number, at, 15, 0), person.id)
            touch(connection, person.id, self.day)
            _changed(connection, f"day:{self.day}")

    def unexplained(self) -> list[Person]:
        """People who never punched on the day, though they were to work."""
        days, people = tables.attendance_days, {person.id: person for person in self.people}
        absent = select(days.c.employee).where(days.c.date == self.day, days.c.status == "absent")
        with _connect(self.database).connect() as connection:
            return [people[employee] for employee in connection.scalars(absent.order_by(days.c.employee))]

    def end_sessions(self, login: str) -> None:
        """What an administrator does to an account that was left open somewhere."""
        users, sessions = tables.users, tables.sessions
        mine = select(users.c.id).where(users.c.login == login).scalar_subquery()
        with _connect(self.database).begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.user == mine))


def make_company(folder: Path) -> Company:
    """Fill a new database below ``folder`` and work everything out, with the engines of the server."""
    database = folder / "muster.db"
    upgrade(f"sqlite:///{database}")
    people = make_people(SEED)
    day = last_finished_working_day(datetime.now(ZONE).replace(tzinfo=None))
    days = working_days(day, DAYS)
    with _connect(database).begin() as connection:
        _organisation(connection, people, days)
        seed_rosters(connection, [p.id for p in people if p.department == MANAGED], days[0])
        _devices(connection)
        _happenings(connection, people, days)
        _accounts(connection, people[0])
    _run(_compute(database))
    return Company(database, people, day, people[0])


def make_empty(folder: Path) -> Path:
    """A new installation: nobody but the administrator."""
    database = folder / "muster.db"
    upgrade(f"sqlite:///{database}")
    with _connect(database).begin() as connection:
        _account(connection, "administrator", "林静", _run(Passwords().hash(PASSWORD)))
    return database


def add_punch(connection: Connection, punch: DoorPunch, employee: str | None) -> None:
    """One row as the identity step writes it."""
    connection.execute(insert(tables.punches).values(punch_row(punch, employee)))


def punch_row(punch: DoorPunch, employee: str | None) -> dict[str, object]:
    """The same as values."""
    at = punch.at.replace(tzinfo=ZONE)
    at_ms = int(at.timestamp() * 1000)
    return {
        "terminal": punch.terminal,
        "user_code": punch.user,
        "at_device": at_ms // 1000 + 8 * 3600,
        "key_seq": -1,
        "utc_offset_s": 8 * 3600,
        "at_ms": at_ms,
        "direction": Direction.OUT if punch.state else Direction.IN,
        "method": _METHODS[punch.verify],
        "raw_codes": [punch.verify, punch.state],
        "drift_ms": 0,
        "flags": 0,
        "received_ms": at_ms + 900,
        "gateway": GATEWAY,
        "employee": employee,
        "true_ms": at_ms,
    }


def touch(connection: Connection, employee: str, day: date) -> None:
    """Ask the worker for a new result."""
    touched = tables.touched_days
    known = update(touched).where(touched.c.employee == employee, touched.c.date == day)
    if not connection.execute(known.values(mark=touched.c.mark + 1)).rowcount:
        connection.execute(insert(touched).values(employee=employee, date=day, mark=1))


def _changed(connection: Connection, topic: str) -> None:
    connection.execute(insert(tables.changes).values(topic=topic, at_ms=system_clocks().wall_ms()))


def _connect(database: Path) -> Engine:
    return create_engine(f"sqlite:///{database}", connect_args={"timeout": 10})


def _organisation(connection: Connection, people: tuple[Person, ...], days: list[date]) -> None:
    names = ("id", "name_zh", "name_en")
    _rows(connection, tables.departments, [dict(zip(names, row, strict=True)) for row in DEPARTMENTS])
    sites = [{"id": d.id, "name_zh": d.name_zh, "name_en": d.name_en, "zone": ZONE.key} for d in DEPOTS]
    _rows(connection, tables.sites, sites)
    keys = (*names, "start", "end", "breaks")
    _rows(connection, tables.shifts, [dict(zip(keys, row, strict=True)) for row in SHIFTS])
    _rows(
        connection,
        tables.employees,
        [
            {
                "id": p.id,
                "name": p.name,
                "department": p.department,
                "site": p.depot,
                "position": p.position,
                "joined_on": date(2025, 1 + i % 12, 1 + i % 28),
            }
            for i, p in enumerate(people)
        ],
    )
    numbers = [{"user_group": "company", "user_code": p.number, "employee": p.id} for p in people]
    _rows(connection, tables.terminal_users, numbers)
    plan = [{"employee": p.id, "date": day, "shift": p.shift} for p in people for day in days]
    _rows(connection, tables.roster, plan)


def _happenings(connection: Connection, people: tuple[Person, ...], days: list[date]) -> None:
    by_number = {person.number: person.id for person in people}
    away = {person.id for person in people[-ABSENT:]}
    for punch in door_punches(people, days, SEED):
        employee = by_number.get(punch.user)
        if employee not in away or punch.at.date() != days[-1]:
            add_punch(connection, punch, employee)
    for person in people:
        for day in days:
            touch(connection, person.id, day)
    rows = []
    for parcel in make_parcels(people, days, SEED):
        due = datetime.combine(parcel.promised_on + timedelta(days=1), datetime.min.time(), ZONE)
        delivered = parcel.delivered and int(parcel.delivered.replace(tzinfo=ZONE).timestamp() * 1000)
        rows.append(
            {
                "tracking_no": parcel.tracking_no,
                "site": parcel.depot,
                "courier": parcel.courier,
                "promised_on": parcel.promised_on,
                "delivered_at_ms": delivered,
                "force_majeure": False,
                "due_ms": int(due.timestamp() * 1000) - 1,
            }
        )
    _rows(connection, tables.shipments, rows)
    periods = sorted({day.strftime("%Y-%m") for day in days})
    scores = [{"employee": p.id, "period": period, "mark": 1} for p in people for period in periods]
    _rows(connection, tables.touched_scores, scores)


def _devices(connection: Connection) -> None:
    now_ms = system_clocks().wall_ms()
    serials = sorted({depot.terminal for depot in DEPOTS})
    drifts = dict(zip(serials, (1_000, 420_000, -95_000, 12_000), strict=True))
    known = [
        TerminalHealth(
            terminal=serial,
            name=f"大门 {number}",
            profile="zkteco/f18",
            state="offline" if number == 4 else "online",
            last_contact_ms=now_ms - (5 * DAY_MS // 24 if number == 4 else 4000 * number),
            last_event_ms=now_ms - 40 * MINUTE_MS,
            drift_ms=drifts[serial],
            problem="no_contact" if number == 4 else None,
            firmware="Ver 6.60",
            users=61,
            log_used=18_240 + number,
            log_capacity=100_000,
        )
        for number, serial in enumerate(serials, start=1)
    ]
    gateways = [(GATEWAY, "余杭网关", "d1", 0, 5_000), ("gw-abcdef0123", "钱塘网关", "d3", 1284, 7_200_000)]
    for gateway, name, site, backlog, age_ms in gateways:
        health = Health(
            at=now_ms - age_ms,
            mono_ms=age_ms,
            software="0.1.0",
            backlog=backlog,
            oldest_unacked_ms=now_ms - age_ms if backlog else None,
            free_bytes=21_400_000_000,
            quota_used_pct=3,
            terminals=known if gateway == GATEWAY else [],
        )
        connection.execute(
            insert(tables.gateways).values(
                id=gateway,
                name=name,
                site=site,
                password_hash="$7$none",
                status="active",
                created_ms=now_ms - 30 * DAY_MS,
                last_seen_ms=now_ms - age_ms,
                software="0.1.0",
                health=msgspec.to_builtins(health),
            )
        )
    for health_of, site in zip(known, ("d1", "d2", "d3", "d4"), strict=True):
        connection.execute(
            insert(tables.terminals).values(
                serial=health_of.terminal,
                name=health_of.name,
                site=site,
                profile=health_of.profile,
                kind="terminal",
                user_group="company",
                last_event_ms=health_of.last_event_ms,
                health=msgspec.to_builtins(health_of),
            )
        )
        connection.execute(
            insert(tables.assignments).values(
                terminal=health_of.terminal, gateway=GATEWAY, from_ms=now_ms - 30 * DAY_MS
            )
        )
    connection.execute(
        insert(tables.alarms).values(
            kind="foreign_terminal",
            subject="CQZ7222460999",
            detail={},
            raised_ms=now_ms - 3 * 60 * MINUTE_MS,
            last_ms=now_ms,
            count=7,
        )
    )
    for seq in range(1, 8):
        connection.execute(
            insert(tables.quarantine).values(
                gateway=GATEWAY,
                stream=bytes(16),
                seq=seq,
                code="foreign_terminal",
                digest=bytes(31) + bytes([seq]),
                raw=os.urandom(40),
                received_ms=now_ms - seq * MINUTE_MS,
                state="open",
            )
        )


def _accounts(connection: Connection, courier: Person) -> None:
    secret = _run(Passwords().hash(PASSWORD))
    _account(connection, "administrator", "林静", secret)
    _account(connection, "hr", "周敏", secret)
    _account(connection, "manager", "何磊", secret, departments=[MANAGED])
    _account(connection, "employee", courier.name, secret, employee=courier.id)
    _account(connection, "it", "高强", secret)


def _account(
    connection: Connection,
    role: str,
    name: str,
    secret: str,
    *,
    departments: list[str] | None = None,
    employee: str | None = None,
) -> None:
    connection.execute(
        insert(tables.users).values(
            login=role,
            name=name,
            password_hash=secret,
            role=role,
            employee=employee,
            departments=departments or [],
            disabled=False,
            created_ms=system_clocks().wall_ms(),
        )
    )


async def _compute(database: Path) -> None:
    db = Database(f"sqlite:///{database}")
    now_ms = system_clocks().wall_ms()
    while await compute_touched(db, now_ms) + await score_touched(db, now_ms):
        pass
    await db.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """What it returns; in a thread of its own, as the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        connection.execute(insert(table), list(rows))
