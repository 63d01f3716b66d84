"""All that happened in the sample company since the first of last month."""

from dataclasses import dataclass
from datetime import date, datetime, time

from muster.sample.days import CARD, IN, OUT, STRANGER, DoorPunch, punches_of, since_last_month
from muster.sample.parcels import Parcel, make_parcels
from muster.sample.people import DEPOTS, Person, make_people
from muster.sample.story import Story, make_story

PARCEL_DAYS = 12
"""The scanners remember so many working days."""
LONGEST_STAY_S = 1500
"""Few enough exceptions that somebody can look at each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All that happened, for one seed and one last day."""

    people: tuple[Person, ...]
    days: list[date]
    """Working days: those of a whole month, and what is over of the next."""
    punches: list[DoorPunch]
    parcels: list[Parcel]
    story: Story

    @property
    def day(self) -> date:
        """The day that is lived through."""
        return self.days[-1]

    @property
    def month(self) -> str:
        """The month that is over, as ``2026-10``."""
        return f"{self.days[0]:%Y-%m}"


def make_sample(today: date, seed: int) -> Sample:
    """What an installation holds on the morning of ``today``."""
    people, days = make_people(seed), since_last_month(today)
    story = make_story(people, days)
    return Sample(people, days, told_punches(people, days, seed, story), parcels_since(people, days, seed), story)


def parcels_since(people: tuple[Person, ...], days: list[date], seed: int) -> list[Parcel]:
    """Parcels of the newest days."""
    return make_parcels(people, days[-PARCEL_DAYS:], seed)


def told_punches(people: tuple[Person, ...], days: list[date], seed: int, story: Story) -> list[DoorPunch]:
    """Punches of all days in order of time: by the story where it says something, else by chance; and a visitor's."""
    by_id = {person.id: person for person in people}
    made: list[DoorPunch] = []
    for day in days:
        for person in people:
            if story.visit(person, day) is None:
                made += punches_of(person, day, seed, LONGEST_STAY_S)
    for (employee, day), visit in story.visits.items():
        terminal, number = _door(by_id[employee]), by_id[employee].number
        for at, state in zip(visit, (IN, OUT), strict=True):
            if at is not None:
                made.append(DoorPunch(terminal, number, datetime.combine(day, at), CARD, state))
    for hour, state in ((10, IN), (16, OUT)):
        made.append(DoorPunch(DEPOTS[0].terminal, STRANGER, datetime.combine(days[-1], time(hour, 12, 5)), CARD, state))
    return sorted(made, key=lambda punch: (punch.at, punch.terminal, punch.user))


def _door(person: Person) -> str:
    return next(depot.terminal for depot in DEPOTS if depot.id == person.depot)
