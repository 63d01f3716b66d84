"""The sample company as its demo begins, in a database of its own: two months of punches, requests, a new colleague."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path

from sqlalchemy import Connection, insert

from muster.sample.company import USER_GROUP, sample_company
from muster.sample.days import DoorPunch
from muster.sample.history import Sample, make_sample
from muster.sample.people import DEPOTS, Person
from muster.sample.settle import settle
from muster.sample.story import NEWCOMERS
from server.config import ServerConfig
from server.services import calendars
from server.services.attendance import compute_touched
from server.services.company import load_company
from server.store import tables
from server.store.database import Database
from server.store.migrate import upgrade
from shared.clock import system_clocks
from tests.web.company import PASSWORD, ZONE, _connect, _rows, _run, add_punch, punch_row, touch

SEED = 1


@dataclass(frozen=True, slots=True)
class Demo:
    """What the test compares pages with."""

    database: Path
    sample: Sample

    @property
    def month(self) -> str:
        """The month that HR closes."""
        return self.sample.month

    @property
    def past(self) -> list[date]:
        """Its working days."""
        return [day for day in self.sample.days if f"{day:%Y-%m}" == self.month]

    @property
    def me(self) -> Person:
        """Who the account ``employee`` is."""
        return next(person for person in self.sample.people if person.position == "courier")

    @property
    def newcomer(self) -> Person:
        """Who came in that month, and whose number nobody has told."""
        return self.sample.people[-NEWCOMERS]

    @property
    def ordinary(self) -> list[Person]:
        """Who has asked for nothing, and has been there all month."""
        told = {wish.person.id for wish in self.sample.story.wishes} | set(self.sample.story.begins)
        return [person for person in self.sample.people if person.id not in told]

    def forgot_to_leave(self) -> tuple[Person, date]:
        """Somebody on the day shift who pressed in the morning only."""
        for person in self.ordinary:
            for day, punches in self.punches_of(person).items() if person.shift == "day" else ():
                if punches[-1].hour < 12:
                    return person, day
        raise AssertionError("nobody forgot")

    def punches_of(self, person: Person) -> dict[date, list[datetime]]:
        """Of the month, by date, oldest first."""
        found: dict[date, list[datetime]] = {}
        for punch in self.sample.punches:
            if punch.user == person.number and f"{punch.at:%Y-%m}" == self.month:
                found.setdefault(punch.at.date(), []).append(punch.at)
        return found

    def late_punch(self, person: Person, at: datetime) -> None:
        """A punch of then that comes only now."""
        now_ms = system_clocks().wall_ms()
        with _connect(self.database).begin() as connection:
            punch = DoorPunch(DEPOTS[0].terminal, person.number, at, 15, 1)
            add_punch(connection, punch, person.id)
            mine = tables.punches.update().where(tables.punches.c.at_ms == punch_row(punch, None)["at_ms"])
            connection.execute(mine.where(tables.punches.c.employee == person.id).values(received_ms=now_ms))
            touch(connection, person.id, at.date())


def make_demo(folder: Path) -> Demo:
    """Fill a new database below ``folder`` through the services, but for the punches, and work everything out."""
    database = folder / "muster.db"
    url = f"sqlite:///{database}"
    upgrade(url)
    # Parcels and scores have tests of their own.
    sample = replace(make_sample(datetime.now(ZONE).date(), SEED), parcels=[])
    _run(_settle(url, sample))
    numbers = {person.number: person.id for person in sample.people[:-NEWCOMERS]}
    with _connect(database).begin() as connection:
        _terminals(connection)
        _rows(connection, tables.punches, [punch_row(one, numbers.get(one.user)) for one in sample.punches])
    _run(_compute(url))
    return Demo(database, sample)


async def _settle(url: str, sample: Sample) -> None:
    now_ms = system_clocks().wall_ms()
    db = Database(url)
    await calendars.ensure_defaults(db, ServerConfig(), now_ms)
    await load_company(db, "cli", sample_company(sample, PASSWORD, ZONE.key), now_ms)
    await settle(db, ServerConfig(), sample, now_ms)
    await db.close()


async def _compute(url: str) -> None:
    """Attendance only: scores are worked out by the server while HR looks at something else."""
    db = Database(url)
    now_ms = system_clocks().wall_ms()
    while await compute_touched(db, now_ms):
        pass
    await db.close()


def _terminals(connection: Connection) -> None:
    sites = {depot.terminal: depot for depot in reversed(DEPOTS)}
    for serial, depot in sites.items():
        name = f"{depot.name_zh}大门"
        values = {"serial": serial, "name": name, "site": depot.id, "kind": "terminal", "user_group": USER_GROUP}
        connection.execute(insert(tables.terminals).values(values))


def counted(demo: Demo, person: Person) -> dict[str, int]:
    """Late, early, absent and worked minutes of somebody on the day shift without requests: 9 to 18, an hour's break.

    Written anew on purpose, from the punches as they were seeded. Days with one side only can not be counted like that.
    """
    sums = {"late": 0, "early": 0, "absent": 0, "worked": 0, "one_sided": 0}
    punches = demo.punches_of(person)
    for day in demo.past:
        minutes = [at.hour * 60 + at.minute for at in punches.get(day, [])]
        if not minutes:
            sums["absent"] += 480
            continue
        if minutes[-1] - minutes[0] < 30:
            sums["one_sided"] += 1
            continue
        late = _net(9 * 60, minutes[0])
        early = _net(minutes[-1], 18 * 60)
        sums["late"] += late
        sums["early"] += early
        sums["worked"] += 480 - late - early
    return sums


def _net(begin: int, end: int) -> int:
    """Minutes of the day from ``begin`` to ``end`` without the break from 12 to 13; none when turned round."""
    return sum(1 for minute in range(begin, end) if not 12 * 60 <= minute < 13 * 60)


def at(day: date, hour: int, minute: int) -> datetime:
    """Local time."""
    return datetime.combine(day, time(hour, minute))
