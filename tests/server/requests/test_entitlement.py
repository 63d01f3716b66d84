"""Annual leave by State Council Order 514 and the Measures of 2008."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.requests.entitlement import Entitlement, anniversary, entitlement

D = date.fromisoformat


@pytest.mark.parametrize(
    ("career", "year", "days", "from_on"),
    [
        # Regulations, article 3: 5 days from 1 year, 10 from 10, 15 from 20.
        (("2020-01-01", "2022-01-01", None), 2026, 5, "2026-01-01"),
        (("2016-01-01", "2022-01-01", None), 2026, 10, "2026-01-01"),
        (("2006-01-01", "2022-01-01", None), 2026, 15, "2026-01-01"),
        (("1990-05-01", "2022-01-01", None), 2026, 15, "2026-01-01"),
        # Nothing in the first year of work; then from the day after it is full: 184/365 x 5 = 2.5.
        (("2026-03-01", "2026-03-01", None), 2026, 0, None),
        (("2025-07-01", "2025-07-01", None), 2026, 2, "2026-07-01"),
        # Measures, article 5: joined on 1 July with 12 years of work: 184/365 x 10 = 5.04.
        (("2014-01-01", "2026-07-01", None), 2026, 5, "2026-07-01"),
        # Joined on 1 November with 3 years: 61/365 x 5 = 0.84, less than a day.
        (("2023-01-01", "2026-11-01", None), 2026, 0, None),
        # Ten years full on 1 July: 181/365 x 5 + 184/365 x 10 = 7.52.
        (("2016-07-01", "2020-01-01", None), 2026, 7, "2026-01-01"),
        # Measures, article 12: left on 30 June with 10 days a year: 181/365 x 10 = 4.96.
        (("2014-01-01", "2020-01-01", "2026-06-30"), 2026, 4, "2026-01-01"),
        (("2014-01-01", "2020-01-01", "2025-12-31"), 2026, 0, None),
        # A leap year gives no more.
        (("2000-01-01", "2020-01-01", None), 2028, 15, "2028-01-01"),
        # Without the first job known, years here count.
        ((None, "2025-01-01", None), 2026, 5, "2026-01-01"),
        # The first job was on 29 February: 10 years are full at the end of 28 February: 59/365 x 5 + 306/365 x 10.
        (("2016-02-29", "2016-02-29", None), 2026, 9, "2026-01-01"),
    ],
)
def test_days_of_a_year(career: tuple[str | None, str, str | None], year: int, days: int, from_on: str | None) -> None:
    """A career is the first job of the life, joining and leaving."""
    worked_since, joined_on, left_on = (D(text) if text else None for text in career)
    assert joined_on is not None
    assert entitlement(worked_since, joined_on, left_on, year) == Entitlement(days, D(from_on) if from_on else None)


def test_years_from_29_february_are_full_on_1_march() -> None:
    assert anniversary(D("2016-02-29"), 1) == D("2017-03-01")
    assert anniversary(D("2016-02-29"), 4) == D("2020-02-29")


def day_by_day(worked_since: date, joined_on: date, left_on: date | None, year: int) -> int:
    """The same by counting: each calendar day brings a 365th of what its years of work give."""
    total = Fraction()
    day = date(year, 1, 1)
    while day.year == year:
        if joined_on <= day and (left_on is None or day <= left_on):
            years = day.year - worked_since.year - ((day.month, day.day) < (worked_since.month, worked_since.day))
            total += Fraction(15 if years >= 20 else 10 if years >= 10 else 5 if years >= 1 else 0, 365)
        day += timedelta(days=1)
    return int(total)


dates = st.dates(date(1985, 1, 1), date(2030, 12, 31))


@given(dates, st.integers(0, 9000), st.none() | st.integers(0, 4000), st.integers(2008, 2035))
def test_days_equal_a_count_day_by_day(worked_since: date, later: int, stayed: int | None, year: int) -> None:
    joined_on = worked_since + timedelta(days=later)
    left_on = None if stayed is None else joined_on + timedelta(days=stayed)
    expected = day_by_day(worked_since, joined_on, left_on, year)
    assert entitlement(worked_since, joined_on, left_on, year).days == expected
