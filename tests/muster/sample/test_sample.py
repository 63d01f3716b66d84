"""The sample company is the one the demo speaks of, and the same for the same seed."""

from collections import Counter
from datetime import date, datetime

import pytest

from muster.sample.days import STRANGER, door_punches, last_finished_working_day, working_days
from muster.sample.parcels import make_parcels
from muster.sample.people import DEPARTMENTS, DEPOTS, make_people

SUNDAY = date(2026, 11, 22)


def test_it_has_eight_departments_sixty_people_and_five_depots() -> None:
    people = make_people(1)
    assert (len(DEPARTMENTS), len(people), len(DEPOTS)) == (8, 60, 5)
    assert {person.department for person in people} == {department[0] for department in DEPARTMENTS}
    assert {person.depot for person in people} == {depot.id for depot in DEPOTS}
    assert max(Counter(person.name for person in people).values()) == 1
    assert max(Counter(person.number for person in people).values()) == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 25, 0, 5), date(2026, 11, 24)),
        (datetime(2026, 11, 23, 9, 0), date(2026, 11, 20)),  # Monday morning: Friday
        (datetime(2026, 11, 22, 23, 59), date(2026, 11, 20)),  # Sunday night: Friday
    ],
)
def test_the_last_finished_working_day_lies_wholly_in_the_past(now: datetime, expected: date) -> None:
    assert last_finished_working_day(now) == expected


def test_working_days_skip_weekends_and_holidays() -> None:
    assert working_days(SUNDAY, 6) == [date(2026, 11, day) for day in (13, 16, 17, 18, 19, 20)]
    assert working_days(date(2026, 10, 9), 3) == [date(2026, 9, 30), date(2026, 10, 8), date(2026, 10, 9)]


def test_the_same_seed_gives_the_same_days_and_another_one_others() -> None:
    people, days = make_people(1), working_days(SUNDAY, 3)
    assert door_punches(people, days, 1) == door_punches(people, days, 1) != door_punches(people, days, 2)
    assert make_parcels(people, days, 1) == make_parcels(people, days, 1) != make_parcels(people, days, 2)


def test_punches_are_in_order_of_time_and_most_people_come() -> None:
    people, days = make_people(1), working_days(SUNDAY, 5)
    made = door_punches(people, days, 1)
    assert [punch.at for punch in made] == sorted(punch.at for punch in made)
    came = {(punch.user, punch.at.date()) for punch in made if punch.user != STRANGER}
    assert 0.9 * 300 < len(came) < 300
    assert len({(punch.terminal, punch.user, punch.at) for punch in made}) == len(made)


def test_no_parcel_is_delivered_after_the_last_day() -> None:
    days = working_days(SUNDAY, 5)
    delivered = [parcel.delivered for parcel in make_parcels(make_people(1), days, 1)]
    assert max(at.date() for at in delivered if at is not None) == days[-1]
    assert None in delivered
