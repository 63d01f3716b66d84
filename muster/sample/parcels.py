"""Parcels of the sample company: promised, delivered in time or not, and the scans that say so."""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from muster.sample.people import Person

CARRIERS = ("YT", "SF", "JT")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel of a courier; ``delivered`` is local wall time, none while it is on its way."""

    tracking_no: str
    courier: str
    depot: str
    promised_on: date
    delivered: datetime | None


def parcels_of(courier: Person, day: date, seed: int, count: int = 8) -> list[Parcel]:
    """The parcels promised to arrive by ``courier`` on ``day``; a courier is late in 1 to 12 % of cases."""
    habit = random.Random(f"{seed} {courier.id}").uniform(0.01, 0.12)
    pick = random.Random(f"{seed} {courier.id} {day} parcels")
    made = []
    for _ in range(count):
        arrives = datetime.combine(day, time(9, 30)) + timedelta(seconds=pick.randrange(9 * 3600))
        draw = pick.random()
        if draw < habit:
            arrives += timedelta(days=1)
        number = f"{pick.choice(CARRIERS)}{pick.randrange(10**13):013}"
        made.append(Parcel(number, courier.id, courier.depot, day, None if draw < habit / 8 else arrives))
    return made


def make_parcels(people: tuple[Person, ...], days: list[date], seed: int) -> list[Parcel]:
    """Parcels of all couriers, in order of promise; none is delivered after the last of these days."""
    end = datetime.combine(days[-1], time.max)
    made = []
    for day in days:
        for courier in people:
            if courier.position == "courier":
                made += parcels_of(courier, day, seed)
    return [p if p.delivered is None or p.delivered <= end else on_its_way(p) for p in made]


def on_its_way(parcel: Parcel) -> Parcel:
    """The same parcel before anybody has delivered it."""
    return Parcel(parcel.tracking_no, parcel.courier, parcel.depot, parcel.promised_on, None)
