"""A company whose last month is over: six people, some punches missing, one clock wrong, and an account for each role.

| employee | department | what is wrong |
|---|---|---|
| c1 王芳 | customer_service | no OUT on the first workday |
| c2 李雷 | customer_service | no OUT on the first, no IN on the second workday |
| c3 赵敏 | delivery | never came on the third workday |
| c4 陈晨 | delivery | late by 40 minutes on the fourth; a punch of a clock two hours fast is held |
| c5 孙悦, c6 周杰 | delivery | nothing |
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from holidays import country_holidays
from sqlalchemy import insert

from muster.sample.days import DoorPunch
from server.services.passwords import Passwords
from server.store import tables
from server.store.migrate import upgrade
from tests.web.company import (
    PASSWORD,
    ZONE,
    _account,
    _compute,
    _connect,
    _rows,
    _run,
    add_punch,
    touch,
)

PEOPLE = (
    ("c1", "王芳", "customer_service"),
    ("c2", "李雷", "customer_service"),
    ("c3", "赵敏", "delivery"),
    ("c4", "陈晨", "delivery"),
    ("c5", "孙悦", "delivery"),
    ("c6", "周杰", "delivery"),
)


@dataclass(frozen=True, slots=True)
class PastMonth:
    """What tests compare pages with."""

    database: Path
    month: str
    days: tuple[date, ...]
    """Its workdays."""

    def late_punch(self, employee: str, day: date, at: time) -> None:
        """A punch of then that comes only now, as the identity step stores it."""
        now_ms = int(datetime.now(ZONE).timestamp() * 1000)
        with _connect(self.database).begin() as connection:
            add_punch(connection, DoorPunch("T1", employee[1:], datetime.combine(day, at), 15, 1), employee)
            newest = tables.punches.update().where(tables.punches.c.employee == employee)
            mine = newest.where(tables.punches.c.at_ms == _ms(day, at))
            connection.execute(mine.values(received_ms=now_ms))
            touch(connection, employee, day)


def make_past_month(folder: Path) -> PastMonth:
    """Fill a new database below ``folder`` and work everything out."""
    database = folder / "muster.db"
    upgrade(f"sqlite:///{database}")
    last = datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)
    dates = [last.replace(day=1) + timedelta(days=n) for n in range(last.day)]
    free = country_holidays("CN", years=last.year)
    days = tuple(day for day in dates if day.weekday() < 5 and day not in free)
    with _connect(database).begin() as connection:
        names = ("id", "name_zh", "name_en")
        departments = (("customer_service", "客服部", "Customer service"), ("delivery", "配送部", "Delivery"))
        _rows(connection, tables.departments, [dict(zip(names, row, strict=True)) for row in departments])
        sites = {"id": "d1", "name_zh": "余杭站", "name_en": "Yuhang depot", "zone": ZONE.key}
        connection.execute(insert(tables.sites).values(sites))
        shift = {"id": "D", "name_zh": "白班", "name_en": "Day", "start": "09:00", "end": "18:00"}
        connection.execute(insert(tables.shifts).values(shift | {"breaks": [["12:00", "13:00"]]}))
        post = {"site": "d1", "position": "clerk", "joined_on": date(2025, 1, 1)}
        people = [{"id": id_, "name": name, "department": of, **post} for id_, name, of in PEOPLE]
        _rows(connection, tables.employees, people)
        plan = [{"employee": id_, "date": day, "shift": "D"} for id_, *_ in PEOPLE for day in days]
        _rows(connection, tables.roster, plan)
        terminal = {"serial": "T1", "name": "大门 1", "site": "d1", "kind": "terminal", "user_group": "company"}
        connection.execute(insert(tables.terminals).values(terminal))
        for id_, *_ in PEOPLE:
            for number, day in enumerate(days):
                for side, at in enumerate(_punches(id_, number)):
                    if at is not None:
                        punch = DoorPunch("T1", id_[1:], datetime.combine(day, at), 15, side)
                        add_punch(connection, punch, id_)
                touch(connection, id_, day)
        add_punch(connection, DoorPunch("T1", "4", datetime.combine(days[4], time(20, 1)), 15, 1), "c4")
        held = tables.punches.update().where(tables.punches.c.at_ms == _ms(days[4], time(20, 1)))
        two_hours = {"held": "AR-3", "true_ms": None, "drift_ms": 7_200_000}
        connection.execute(held.values(**two_hours, received_ms=_ms(days[4], time(18, 2))))
        secret = _run(Passwords().hash(PASSWORD))
        _account(connection, "administrator", "林静", secret)
        _account(connection, "hr", "周敏", secret)
        _account(connection, "manager", "何磊", secret, departments=["customer_service"])
        _account(connection, "employee", "王芳", secret, employee="c1")
    _run(_compute(database))
    return PastMonth(database, f"{last:%Y-%m}", days)


def _punches(employee: str, day: int) -> tuple[time | None, time | None]:
    """IN and OUT of the day with this number."""
    come, go = time(8, 55), time(18, 4)
    match employee, day:
        case ("c1" | "c2", 0):
            return come, None
        case ("c2", 1):
            return None, go
        case ("c3", 2):
            return None, None
        case ("c4", 3):
            return time(9, 40), go
        case ("c4", 4):
            return come, None
    return come, go


def _ms(day: date, at: time) -> int:
    return int(datetime.combine(day, at, ZONE).timestamp() * 1000)
