"""What happens at the doors of the sample company: punches as people make them, late, twice or not at all."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

from muster.sample.people import DEPOTS, SHIFTS, Person
from server.attendance.calendar import Calendar
from server.calendars.proposals import defaults

FACE, FINGER, CARD = 15, 1, 2
IN, OUT = 0, 1
STRANGER = "9001"
"""A number on the terminals that belongs to nobody: HR finds it in the list of unmatched users."""


@dataclass(frozen=True, slots=True)
class DoorPunch:
    """One press at a terminal; ``at`` is its wall clock, without zone; codes as ZKTeco terminals number them."""

    terminal: str
    user: str
    at: datetime
    verify: int
    state: int


@cache
def china(until_year: int) -> Calendar:
    """China's calendar as a fresh installation has it: years whose notice is not known are as the week says."""
    return Calendar({day.date: day.type for edition in defaults(until_year) for day in edition.days})


def is_working_day(day: date) -> bool:
    """No day of rest, no holiday; weekends that work was moved to are."""
    return china(day.year).type_of(day) == "workday"


def working_days(last: date, count: int) -> list[date]:
    """The ``count`` working days up to ``last``, oldest first."""
    days: list[date] = []
    day = last
    while len(days) < count:
        if is_working_day(day):
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def last_finished_working_day(now_local: datetime) -> date:
    """The newest working day that lies wholly before ``now_local``."""
    return working_days(now_local.date() - timedelta(days=1), 1)[0]


def since_last_month(today: date) -> list[date]:
    """Working days from the first of the month before today's, up to the last that is over."""
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    dates = (first + timedelta(days=number) for number in range((today - first).days))
    return [day for day in dates if is_working_day(day)]


def punches_of(person: Person, day: date, seed: int, longest_stay_s: int = 2400) -> Iterator[DoorPunch]:
    """What one person leaves on the terminal on one working day, oldest first; nothing when absent.

    ``longest_stay_s`` after the shift: from half an hour on it is overtime that nobody approved (AR-29).
    """
    pick = random.Random(f"{seed} {person.id} {day}")
    terminal = next(depot.terminal for depot in DEPOTS if depot.id == person.depot)
    start, end = next((s[3], s[4]) for s in SHIFTS if s[0] == person.shift)
    begins = datetime.combine(day, time.fromisoformat(start))
    ends = datetime.combine(day, time.fromisoformat(end))
    unreliable = random.Random(f"{seed} {person.id}").random() < 0.15
    usual, other = (60, 2) if unreliable else (180, 1)
    fates = ("usual", "late", "early", "no_out", "no_in", "absent")
    fate = pick.choices(fates, weights=(usual, 5 * other, 2 * other, 2 * other, other, 2 * other))[0]
    if fate == "absent":
        return
    verify = pick.choice((FACE, FACE, FINGER, CARD))
    came = begins + timedelta(seconds=pick.randint(60, 2400) if fate == "late" else -pick.randint(60, 1500))
    went = ends + timedelta(seconds=-pick.randint(300, 5400) if fate == "early" else pick.randint(30, longest_stay_s))
    if fate != "no_in":
        yield DoorPunch(terminal, person.number, came, verify, IN)
        if pick.random() < 0.08:  # the terminal was slow to greet: pressed again, AR-5 merges it
            yield DoorPunch(terminal, person.number, came + timedelta(seconds=pick.randint(3, 50)), verify, IN)
    if fate != "no_out":
        yield DoorPunch(terminal, person.number, went, verify, OUT)


def door_punches(people: tuple[Person, ...], days: list[date], seed: int) -> list[DoorPunch]:
    """All punches of these days in order of time, with those of a visitor on the last day."""
    made = [punch for day in days for person in people for punch in punches_of(person, day, seed)]
    for hour in (10, 16):
        visit = datetime.combine(days[-1], time(hour, 12, 5))
        made.append(DoorPunch(DEPOTS[0].terminal, STRANGER, visit, CARD, IN if hour < 12 else OUT))
    return sorted(made, key=lambda punch: (punch.at, punch.terminal, punch.user))
