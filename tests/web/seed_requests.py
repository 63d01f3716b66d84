"""Four people with shifts from last month to three weeks ahead, their parental leave, and an account for each role.

| employee | department | account |
|---|---|---|
| c1 王芳 | customer_service | employee |
| c2 李雷 | customer_service | lilei, an employee too |
| c3 赵敏 | delivery | none |
| c4 陈晨 | delivery | none |

何磊 (``manager``) manages customer_service, 吴强 (``other``) delivery.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
from holidays import country_holidays
from sqlalchemy import Connection, insert

from muster.sample.days import DoorPunch
from server.services.leave import ensure_defaults
from server.services.passwords import Passwords
from server.store import tables
from server.store.database import Database
from server.store.migrate import upgrade
from server.store.request_tables import leave_grants
from shared.clock import system_clocks
from tests.web.company import PASSWORD, ZONE, _account, _compute, _connect, _rows, _run, add_punch, touch

PEOPLE = (
    ("c1", "王芳", "customer_service"),
    ("c2", "李雷", "customer_service"),
    ("c3", "赵敏", "delivery"),
    ("c4", "陈晨", "delivery"),
)
AHEAD_DAYS = 21
PARENTAL_MIN = 8 * 480
"""The worker gives annual leave by itself, so tests look at another kind."""


@dataclass
class Office:
    """What tests compare pages with, and short ways to ask and decide through the API."""

    url: str
    today: date
    past: tuple[date, ...]
    """Workdays before today since the first of last month."""
    ahead: tuple[date, ...]
    """Workdays after today."""
    missed: date
    """The workday on which c1 did not come."""
    _clients: dict[str, httpx.Client] = field(default_factory=dict)

    @property
    def last_month(self) -> str:
        """The month before this."""
        return f"{self.today.replace(day=1) - timedelta(days=1):%Y-%m}"

    def call(self, login: str, path: str, body: Any) -> Any:
        """POST as this account; the answer's body, or None of an empty one."""
        answer = self._client(login).post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def get(self, login: str, path: str) -> httpx.Response:
        """GET as this account."""
        return self._client(login).get(path)

    def ask_leave(self, login: str, first: date, last: date, kind: str = "parental", **more: str) -> int:
        """Leave of whole days; the number."""
        body = {"kind": "leave", "leave_type": kind, "start": f"{first}T09:00", "end": f"{last}T18:00", **more}
        number: int = self.call(login, "/api/my/requests", body)["id"]
        return number

    def ask_correction(self, login: str, at: datetime) -> int:
        """A missing punch; the number."""
        body = {"kind": "correction", "at": f"{at:%Y-%m-%dT%H:%M}", "direction": "out", "reason": "忘记打卡"}
        number: int = self.call(login, "/api/my/requests", body)["id"]
        return number

    def decide(self, login: str, number: int, decision: str = "approved") -> None:
        """One decision."""
        self.call(login, f"/api/requests/{number}/decide", {"decision": decision, "comment": "人手不足，请改期"})

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, login: str) -> httpx.Client:
        if login not in self._clients:
            headers = {"X-Muster": "1", "Origin": self.url}
            client = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)
            answer = client.post("/api/login", json={"login": login, "password": PASSWORD})
            assert answer.is_success, answer.text
            # The cookie is for HTTPS only; browsers make an exception for this machine.
            client.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
            self._clients[login] = client
        return self._clients[login]


def make_office(folder: Path, url: str) -> Office:
    """Fill a new database below ``folder`` and work everything out."""
    database = folder / "muster.db"
    upgrade(f"sqlite:///{database}")
    _run(_defaults(database))
    today = datetime.now(ZONE).date()
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    dates = [first + timedelta(days=n) for n in range((today - first).days + AHEAD_DAYS + 1)]
    days = [day for day in dates if day.weekday() < 5]
    free = country_holidays("CN", years=(first.year, today.year, today.year + 1))
    past, ahead = [day for day in days if day < today], [day for day in days if day > today and day not in free]
    with _connect(database).begin() as connection:
        _people(connection, [*past, *ahead])
        missed = [day for day in past[:-2] if day not in free][-1]
        _punches(connection, past, missed)
        secret = _run(Passwords().hash(PASSWORD))
        _account(connection, "administrator", "林静", secret)
        _account(connection, "hr", "周敏", secret)
        _account(connection, "manager", "何磊", secret, departments=["customer_service"])
        _account(connection, "employee", "王芳", secret, employee="c1")
        more = {"password_hash": secret, "disabled": False, "created_ms": system_clocks().wall_ms()}
        others: list[dict[str, Any]] = [
            {"login": "lilei", "name": "李雷", "role": "employee", "employee": "c2", "departments": []},
            {"login": "other", "name": "吴强", "role": "manager", "employee": None, "departments": ["delivery"]},
        ]
        _rows(connection, tables.users, [one | more for one in others])
    _run(_compute(database))
    return Office(url, today, tuple(past), tuple(ahead), missed)


def _people(connection: Connection, days: list[date]) -> None:
    names = ("id", "name_zh", "name_en")
    departments = (("customer_service", "客服部", "Customer service"), ("delivery", "配送部", "Delivery"))
    _rows(connection, tables.departments, [dict(zip(names, row, strict=True)) for row in departments])
    site = {"id": "d1", "name_zh": "余杭站", "name_en": "Yuhang depot", "zone": ZONE.key}
    connection.execute(insert(tables.sites).values(site))
    shift = {"id": "D", "name_zh": "白班", "name_en": "Day", "start": "09:00", "end": "18:00"}
    connection.execute(insert(tables.shifts).values(shift | {"breaks": [["12:00", "13:00"]]}))
    late = {"id": "L", "name_zh": "晚班", "name_en": "Late", "start": "12:00", "end": "20:00", "breaks": []}
    connection.execute(insert(tables.shifts).values(late))
    post = {"site": "d1", "position": "clerk", "joined_on": date(2024, 1, 1)}
    _rows(connection, tables.employees, [{"id": i, "name": name, "department": of, **post} for i, name, of in PEOPLE])
    plan = [{"employee": i, "date": day, "shift": "L" if i == "c2" else "D"} for i, *_ in PEOPLE for day in days]
    _rows(connection, tables.roster, plan)
    terminal = {"serial": "T1", "name": "大门 1", "site": "d1", "kind": "terminal", "user_group": "company"}
    connection.execute(insert(tables.terminals).values(terminal))
    given = {"leave_type": "parental", "minutes": PARENTAL_MIN, "kind": "opening", "note": "", "actor": "hr"}
    year = days[0].year
    given |= {"from_on": date(year, 1, 1), "until_on": date(year + 1, 12, 31), "key": "opening"}
    given |= {"at_ms": system_clocks().wall_ms()}
    _rows(connection, leave_grants, [{"employee": i, **given} for i, *_ in PEOPLE])


def _punches(connection: Connection, past: list[date], missed: date) -> None:
    for employee, *_ in PEOPLE:
        for day in past:
            for side, at in enumerate((time(8, 55), time(18, 4))):
                if employee == "c1" and (day == missed or (side and day == past[-1])):
                    continue
                if employee == "c1" and not side and day == past[-2]:
                    at = time(9, 25)  # noqa: PLW2901
                add_punch(connection, DoorPunch("T1", employee[1:], datetime.combine(day, at), 15, side), employee)
            touch(connection, employee, day)


async def _defaults(database: Path) -> None:
    db = Database(f"sqlite:///{database}")
    await ensure_defaults(db)
    await db.close()
