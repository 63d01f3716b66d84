"""Months are written, spanned and followed as a calendar on the wall says."""

import calendar
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.months import month_after, month_instants, month_of, month_span


@given(st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31)))
def test_a_month_spans_the_days_that_lie_in_it(day: dt.date) -> None:
    month = month_of(day)
    first, last = month_span(month)
    assert (first.day, last.day) == (1, calendar.monthrange(day.year, day.month)[1])
    assert first <= day <= last
    assert month_of(last + dt.timedelta(days=1)) == month_after(month)


def test_instants_are_midnights_of_the_zone() -> None:
    start, end = month_instants("2026-03", ZoneInfo("Europe/Berlin"))  # the clocks go forward on the 29th
    assert (start, end) == (1_772_319_600_000, 1_774_994_400_000)
    assert end - start == (31 * 24 - 1) * 3_600_000


@pytest.mark.parametrize("month", ["2026-13", "2026", "March", "2026-3-1", ""])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|month must be"):
        month_span(month)
