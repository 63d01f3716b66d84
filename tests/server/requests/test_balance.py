"""What is left of leave, against plain search."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.requests.balance import CarryOver, Cover, Lot, Taking, cover, left_on, months_later, settle

JAN = date(2026, 1, 1)


def day(number: int) -> date:
    return JAN + timedelta(days=number)


lots = st.lists(
    st.builds(
        lambda minutes, first, length: Lot(minutes, day(first), None if length is None else day(first + length)),
        st.integers(0, 4),
        st.integers(0, 6),
        st.none() | st.integers(0, 6),
    ),
    max_size=4,
)
takings = st.lists(
    st.builds(lambda at, minutes: Taking(day(at), minutes), st.integers(0, 12), st.integers(1, 3)), max_size=4
)


def least_short(lots: list[Lot], takings: list[Taking]) -> int:
    """The fewest minutes uncovered over all ways to take: augmenting paths between single minutes."""
    units = [lot for lot in lots for _ in range(lot.minutes)]
    wanted = [taking.date for taking in takings for _ in range(taking.minutes)]
    taken: dict[int, int] = {}

    def place(want: int, seen: set[int]) -> bool:
        for at, lot in enumerate(units):
            if at not in seen and lot.valid_on(wanted[want]):
                seen.add(at)
                if at not in taken or place(taken[at], seen):
                    taken[at] = want
                    return True
        return False

    return sum(not place(want, set()) for want in range(len(wanted)))


@given(lots, takings)
def test_no_other_way_of_taking_covers_more(lots: list[Lot], takings: list[Taking]) -> None:
    standing = settle(lots, takings)
    assert standing.short == least_short(lots, takings)
    assert sum(standing.left) - standing.short == sum(lot.minutes for lot in lots) - sum(t.minutes for t in takings)


@given(lots, takings, takings)
def test_more_is_refused_exactly_when_something_would_be_uncovered(
    lots: list[Lot], takings: list[Taking], more: list[Taking]
) -> None:
    missing = least_short(lots, [*takings, *more]) - least_short(lots, takings)
    assert cover(lots, takings, more).short == missing


def test_leave_comes_out_of_what_ends_first() -> None:
    carried, fresh = Lot(480, JAN, day(89)), Lot(2400, JAN, date(2026, 12, 31))
    assert settle([fresh, carried], [Taking(day(10), 600)]).left == (2280, 0)
    assert left_on([fresh, carried], [Taking(day(10), 300)], day(10)) == 2580
    assert left_on([fresh, carried], [Taking(day(10), 300)], day(200)) == 2400, "the rest of the old year has lapsed"


def test_a_refusal_says_what_is_needed_and_what_is_left() -> None:
    assert cover([Lot(480, JAN)], [Taking(day(3), 240)], [Taking(day(5), 480)]) == Cover(480, 240, 240)


def test_leave_long_planned_is_not_taken_away_by_earlier_leave() -> None:
    planned = Taking(day(100), 480)
    assert cover([Lot(480, JAN)], [planned], [Taking(day(1), 60)]).short == 60


def test_carry_over_has_a_limit_and_an_end() -> None:
    assert (CarryOver("03-31", 2400).of(3000), CarryOver("03-31", 2400).of(100), CarryOver("03-31").of(3000)) == (
        2400,
        100,
        3000,
    )
    assert CarryOver("03-31").last_day(2027) == date(2027, 3, 31)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [("2026-03-02", 6, "2026-09-02"), ("2026-08-31", 6, "2027-02-28"), ("2026-12-01", 1, "2027-01-01")],
)
def test_months_end_on_the_last_day_there_is(start: str, months: int, end: str) -> None:
    assert months_later(date.fromisoformat(start), months) == date.fromisoformat(end)
