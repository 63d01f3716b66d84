"""Steps of a series: days, weeks from Monday, calendar months."""

from datetime import date

import pytest

from server.analytics.grain import Grain, Span, after, spans_to


def test_only_steps_that_are_over_by_the_last_day_are_there() -> None:
    assert spans_to("week", date(2026, 3, 4), 2) == [
        Span(date(2026, 2, 16), date(2026, 2, 22)),
        Span(date(2026, 2, 23), date(2026, 3, 1)),
    ]
    assert spans_to("month", date(2026, 3, 31), 2)[-1] == Span(date(2026, 3, 1), date(2026, 3, 31))
    assert spans_to("month", date(2026, 3, 30), 1) == [Span(date(2026, 2, 1), date(2026, 2, 28))]


@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_each_step_begins_where_the_one_before_ends(grain: Grain) -> None:
    found = spans_to(grain, date(2026, 3, 4), 15)
    assert len(found) == 15
    assert [after(grain, span) for span in found[:-1]] == found[1:]
