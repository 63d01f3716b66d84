"""What the people of the sample company ask for: leave, overtime, trips, forgotten punches, and how they come and go.

A past month with something of everything that closing it is about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, TypeAlias

from muster.sample.days import is_working_day
from muster.sample.people import Person
from server.services.request_parts import Ask

NEWCOMERS = 2
"""The last of the people have no number yet: their punches wait in the list of unmatched users."""

Visit: TypeAlias = tuple[time | None, time | None]
"""When somebody presses on coming and on going; none: not at all."""
AWAY: Visit = (None, None)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request, put on the evening of ``asked_on``; without a verdict it waits."""

    person: Person
    ask: Ask
    asked_on: date
    verdict: Literal["approved", "refused"] | None = None
    comment: str = ""
    own: bool = False
    """Asked for by the person, whose account the demo has; others go to HR, which enters it."""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is not like other days."""

    wishes: tuple[Wish, ...]
    visits: Mapping[tuple[str, date], Visit]
    """By employee and date, instead of what chance would give; dates without a shift among them."""
    begins: Mapping[str, date]
    """First days of those who have only just come."""

    def visit(self, person: Person, day: date) -> Visit | None:
        """How the person comes and goes on that day; None where chance decides."""
        if day < self.begins.get(person.id, day):
            return AWAY
        return self.visits.get((person.id, day))


def make_story(people: Sequence[Person], days: Sequence[date]) -> Story:
    """A story for those working days, which begin with a whole month."""
    past = [day for day in days if (day.year, day.month) == (days[0].year, days[0].month)]
    last = days[-1]
    soon = _workday_after(last, 5)
    saturday = _free_saturday(past)
    courier, sick, planner = (_nth(people, "courier", number) for number in (0, 1, 2))
    editor, accountant = _nth(people, "video_editor", 0), _nth(people, "accountant", 0)
    seller, operator, agent = _nth(people, "sales_rep", 0), _nth(people, "operator", 0), _nth(people, "cs_agent", 0)
    visits: dict[tuple[str, date], Visit] = {
        (courier.id, past[4]): AWAY,
        (courier.id, past[8]): (time(8, 52, 14), None),
        (sick.id, past[7]): (time(8, 49, 40), time(12, 6, 3)),
        (editor.id, past[9]): (time(8, 55, 31), time(21, 8, 19)),
        (accountant.id, saturday): (time(8, 54, 22), time(15, 3, 47)),
        (seller.id, past[10]): AWAY,
        (seller.id, past[11]): AWAY,
        (operator.id, past[12]): (time(8, 51, 2), time(18, 4, 50)),
        (agent.id, past[5]): (None, time(15, 33, 8)),
    }
    wishes = (
        Wish(courier, _whole_day("annual", past[4], "家里有事"), past[1], "approved", own=True),
        Wish(courier, Ask("correction", "走得急，忘了打卡", _at(past[8], "18:05"), direction=1), past[9], own=True),
        Wish(
            sick,
            Ask("leave", "发烧，下午去医院", _at(past[7], "13:00"), _at(past[7], "18:00"), leave_type="sick"),
            past[7],
            "approved",
        ),
        Wish(
            editor, Ask("overtime", "活动视频剪辑", _at(past[9], "18:30"), _at(past[9], "21:00")), past[8], "approved"
        ),
        Wish(
            accountant,
            Ask("overtime", "月度结账", _at(saturday, "09:00"), _at(saturday, "15:00"), to_comp=True),
            saturday - timedelta(days=1),
            "approved",
        ),
        Wish(
            seller,
            Ask("trip", "拜访客户", _at(past[10], "09:00"), _at(past[11], "18:00"), place="上海"),
            past[9],
            "approved",
        ),
        Wish(operator, _whole_day("personal", past[12], "想休一天"), past[11], "refused", "当天盘点，请改期"),
        Wish(
            agent,
            Ask("correction", "指纹没识别上", _at(past[5], "06:57"), direction=0),
            past[6],
            "approved",
        ),
        Wish(planner, _whole_day("annual", soon, "带孩子体检"), last),
    )
    newcomers = people[-NEWCOMERS:]
    this_month = days[len(past)] if len(days) > len(past) else past[-3]
    return Story(wishes, visits, {newcomers[0].id: past[len(past) // 2], newcomers[1].id: this_month})


def _whole_day(leave_type: str, day: date, reason: str) -> Ask:
    return Ask("leave", reason, _at(day, "09:00"), _at(day, "18:00"), leave_type=leave_type)


def _at(day: date, hour: str) -> str:
    return datetime.combine(day, time.fromisoformat(hour)).isoformat(timespec="minutes")


def _nth(people: Sequence[Person], position: str, number: int) -> Person:
    return [person for person in people if person.position == position][number]


def _workday_after(day: date, more: int) -> date:
    """The first working day that is at least so many days later."""
    day += timedelta(days=more)
    while not is_working_day(day):
        day += timedelta(days=1)
    return day


def _free_saturday(past: Sequence[date]) -> date:
    """A Saturday of the second half of the month that nobody works, not inside a long holiday."""
    day = past[len(past) // 2]
    while day.weekday() != 5 or is_working_day(day):
        day += timedelta(days=1)
    return day
