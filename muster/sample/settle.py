"""Gives the loaded company what HR sets up in the pages: attendance groups, rosters, leave, requests."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from muster.sample.company import first_day
from muster.sample.history import Sample
from muster.sample.people import Person
from muster.sample.story import Wish
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.config import ServerConfig
from server.rosters.edit import FillPattern
from server.rosters.pattern import Pattern
from server.services import accrual, approvals, groups, leave, requests, rosters, shifts
from server.services.accounts import Caller
from server.services.groups import AHEAD
from server.store import user_queries
from server.store.database import Database
from server.store.group_queries import GroupRow
from server.store.shift_queries import PatternRow
from shared.clock import WallMs, to_ms

HR = "hr"
"""Who sets everything up, and decides where no manager does."""
_ASKED, _DECIDED = time(18, 30), time(9, 15)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Group:
    """An attendance group that works one shift by the week, as the calendar says."""

    id: str
    name_zh: str
    name_en: str
    shift: str


GROUPS = (
    Group("office", "行政班组", "Office", "day"),
    Group("couriers", "配送组", "Couriers", "day"),
    Group("early", "早班组", "Early shift", "early"),
    Group("late", "晚班组", "Late shift", "late"),
    Group("design", "弹性工作组", "Flexible hours", "flex"),
)
PATTERNS = {
    "day": ("白班标准周", "Standard week, day"),
    "early": ("早班标准周", "Standard week, early"),
    "late": ("晚班标准周", "Standard week, late"),
    "flex": ("弹性标准周", "Standard week, flexible"),
}


def group_of(person: Person) -> str:
    """Id of the attendance group that the person is in."""
    if person.position == "designer":
        return "design"
    if person.position == "courier":
        return "couriers"
    return "office" if person.shift == "day" else person.shift


async def settle(db: Database, config: ServerConfig, sample: Sample, now_ms: WallMs) -> None:
    """Set up what months are worked out and closed by; DataError when the company was settled before."""
    await leave.ensure_defaults(db)
    first = sample.days[0].replace(day=1)
    caller = Caller("", "", _ms(first, _DECIDED, config.zone))
    await _plan(db, sample, first, config, caller=caller, now_ms=now_ms)
    await accrual.accrue(db, config.zone, caller.at_ms)  # of that year, which may be over
    await accrual.accrue(db, config.zone, now_ms)
    viewers = await viewers_of(db)
    for wish in sorted(sample.story.wishes, key=lambda wish: wish.asked_on):
        await _ask(db, viewers, wish, config.zone)


async def viewers_of(db: Database) -> dict[str, Viewer]:
    """Everybody who has an account, by login."""
    async with db.reading() as connection:
        rows = await user_queries.user_rows(connection)
    return {
        row.login: Viewer(row.id, row.login, row.name, row.role, row.employee, frozenset(row.departments), b"")  # type: ignore[arg-type]
        for row in rows
    }


async def _plan(
    db: Database, sample: Sample, first: date, config: ServerConfig, *, caller: Caller, now_ms: WallMs
) -> None:
    """Patterns, groups, who is in them, and their rosters up to some weeks from now."""
    last = datetime.fromtimestamp(now_ms / 1000, config.zone).date() + AHEAD
    for shift, (zh, en) in PATTERNS.items():
        week = Pattern("weekly", ((shift,),) * 5 + ((), ()), by_calendar=True)
        await shifts.save_pattern(db, HR, PatternRow(f"week_{shift}", zh, en, week), caller)
    for group in GROUPS:
        row = GroupRow(group.id, group.name_zh, group.name_en, f"week_{group.shift}", None, None)
        await groups.save_group(db, HR, row, caller)
        begins: dict[date, list[str]] = {}
        for number, person in enumerate(sample.people):
            if group_of(person) == group.id:
                begins.setdefault(max(first, first_day(sample, number)), []).append(person.id)
        for from_on, people in sorted(begins.items()):
            await groups.join_group(db, HR, group.id, people, from_on=from_on, to_on=None, caller=caller)
    everyone = tuple(person.id for person in sample.people)
    edits = [FillPattern(everyone, first, last, groups=tuple(group.id for group in GROUPS))]
    await rosters.save_edits(db, HR, Scope.system(), edits, accept_warnings=True, caller=caller)


async def _ask(db: Database, viewers: dict[str, Viewer], wish: Wish, zone: ZoneInfo) -> None:
    """Ask on the evening of the day, decide the next morning."""
    asked = Caller("", "", _ms(wish.asked_on, _ASKED, zone))
    asker = viewers["employee"] if wish.own else viewers[HR]
    number = await requests.ask(db, asker, wish.person.id, wish.ask, asked, by_hr=not wish.own)
    if wish.verdict is None:
        return
    decider = viewers["manager" if wish.person.department == "logistics" else HR]
    decided = Caller("", "", _ms(wish.asked_on + _DAY, _DECIDED, zone))
    await approvals.decide(db, decider, number, wish.verdict, decided, step=None, comment=wish.comment)


def _ms(day: date, at: time, zone: ZoneInfo) -> WallMs:
    return to_ms(datetime.combine(day, at, zone))
