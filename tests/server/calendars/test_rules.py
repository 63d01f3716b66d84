"""The 13 legal days and the notices of the State Council, written down here by hand from the notices."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.calendar import DayType
from server.calendars.check import Problem, check
from server.calendars.difference import changed_types, counts, differences
from server.calendars.edition import Day, Edition
from server.calendars.legal import legal_days, legal_number, notice_known
from server.calendars.proposals import countries, defaults, proposed

# 国务院办公厅关于2024/2025/2026年部分节假日安排的通知: days off, first and last, and Saturdays and Sundays at work.
NOTICES = {
    2024: (
        "01-01..01-01 02-10..02-17 04-04..04-06 05-01..05-05 06-10..06-10 09-15..09-17 10-01..10-07",
        "02-04 02-18 04-07 04-28 05-11 09-14 09-29 10-12",
    ),
    2025: (
        "01-01..01-01 01-28..02-04 04-04..04-06 05-01..05-05 05-31..06-02 10-01..10-08",
        "01-26 02-08 04-27 09-28 10-11",
    ),
    2026: (
        "01-01..01-03 02-15..02-23 04-04..04-06 05-01..05-05 06-19..06-21 09-25..09-27 10-01..10-07",
        "01-04 02-14 02-28 05-09 09-20 10-10",
    ),
}
LEGAL = {
    2024: "01-01 02-10 02-11 02-12 04-04 05-01 06-10 09-17 10-01 10-02 10-03",
    2025: "01-01 01-28 01-29 01-30 01-31 04-04 05-01 05-02 05-31 10-01 10-02 10-03 10-06",
    2026: "01-01 02-16 02-17 02-18 02-19 04-05 05-01 05-02 06-19 09-25 10-01 10-02 10-03",
    2027: "01-01 02-05 02-06 02-07 02-08 04-05 05-01 05-02 06-09 09-15 10-01 10-02 10-03",
}


def _date(year: int, text: str) -> dt.date:
    return dt.date.fromisoformat(f"{year}-{text}")


def _off(year: int) -> set[dt.date]:
    found = set()
    for span in NOTICES[year][0].split():
        first, last = (_date(year, text) for text in span.split(".."))
        found |= {first + dt.timedelta(days=number) for number in range((last - first).days + 1)}
    return found


def _whole(year: int) -> list[dt.date]:
    first = dt.date(year, 1, 1)
    return [first + dt.timedelta(days=number) for number in range((dt.date(year + 1, 1, 1) - first).days)]


def _edition(year: int = 2026) -> Edition:
    proposal = proposed("CN", "CN", year)
    assert proposal is not None
    return proposal.edition


def _codes(found: tuple[Problem, ...]) -> list[str]:
    return [problem.code for problem in found]


@pytest.mark.parametrize("year", sorted(NOTICES))
def test_every_date_of_the_year_is_as_the_notice_says(year: int) -> None:
    calendar, worked = _edition(year).as_calendar(), {_date(year, text) for text in NOTICES[year][1].split()}
    off, legal = _off(year), {_date(year, text) for text in LEGAL[year].split()}
    for date in _whole(year):
        weekend = date.weekday() >= 5
        expected: DayType = "restday" if date in off or (weekend and date not in worked) else "workday"
        assert calendar.type_of(date) == ("statutory" if date in legal else expected), date


@pytest.mark.parametrize("year", sorted(LEGAL))
def test_the_legal_days_are_those_of_the_regulation(year: int) -> None:
    assert [day.date for day in legal_days(year)] == [_date(year, text) for text in LEGAL[year].split()]
    assert len(legal_days(year)) == legal_number(year) == (13 if year >= 2025 else 11)


def test_spring_festival_has_its_eve_and_three_days() -> None:
    names = {day.date: (day.name_zh, day.name_en) for day in legal_days(2026)}
    assert names[dt.date(2026, 2, 16)] == ("农历除夕", "Chinese New Year's Eve")
    assert [names[dt.date(2026, 2, day)][0] for day in (17, 18, 19)] == ["春节"] * 3


def test_moved_workdays_carry_the_name_of_their_holiday() -> None:
    names = {day.date: day.name_zh for day in _edition().days if day.type == "workday"}
    assert names[dt.date(2026, 9, 20)] == "国庆节"  # nearer to the Mid-Autumn Festival, but moved for National Day
    assert names[dt.date(2026, 2, 28)] == "春节"


def test_a_year_without_a_notice_has_its_legal_days_and_says_that_it_is_not_complete() -> None:
    proposal = proposed("CN", "CN", 2027)
    assert proposal is not None
    assert not proposal.complete
    assert not notice_known(2027)
    assert {day.type for day in proposal.edition.days} == {"statutory"}
    assert _codes(check(proposal.edition, "CN").warnings) == ["no_adjusted_days"]


def test_defaults_are_the_years_whose_notice_is_known() -> None:
    assert [edition.year for edition in defaults(2027)] == [2024, 2025, 2026]
    assert all(check(edition, "CN").problems == () for edition in defaults(2027))


def test_other_countries_have_days_built_in_and_regions_their_own() -> None:
    german, swabian = proposed("DE", "DE", 2026), proposed("DE-BW", "DE", 2026)
    assert german is not None
    assert swabian is not None
    epiphany = dt.date(2026, 1, 6)
    assert epiphany not in {day.date for day in german.edition.days}
    assert epiphany in {day.date for day in swabian.edition.days}
    assert {"CN", "DE", "DE-BW", "JP"} <= set(countries())
    assert proposed("ZZ", "ZZ", 2026) is None


# --- check ----------------------------------------------------------------------------------------------------------


def test_the_built_in_edition_passes() -> None:
    assert check(_edition(), "CN").problems == ()
    assert check(_edition(), "CN").warnings == ()


def test_twelve_legal_days_are_refused_and_the_missing_one_is_named() -> None:
    days = tuple(day for day in _edition().days if day.date != dt.date(2026, 5, 2))
    few, missing = check(replace(_edition(), days=days), "CN").problems
    assert (few.code, dict(few.parameters)) == ("legal_days_too_few", {"days": 12, "expected": 13})
    assert (missing.code, missing.date) == ("legal_day_missing", dt.date(2026, 5, 2))
    assert missing.parameters["name_zh"] == "劳动节"


def test_fourteen_legal_days_need_a_named_local_rule() -> None:
    more = replace(_edition(), days=(*_edition().days, Day(dt.date(2026, 3, 20), "statutory", "肉孜节", "Eid")))
    assert _codes(check(more, "CN").problems) == ["legal_days_too_many", "not_a_legal_day"]
    assert check(replace(more, local_rule="新疆维吾尔自治区少数民族习惯节日放假办法"), "CN").problems == ()
    assert _codes(check(replace(more, local_rule="  "), "CN").problems) == ["legal_days_too_many", "not_a_legal_day"]


def test_a_local_rule_takes_no_legal_day_away() -> None:
    days = tuple(day for day in _edition().days if day.date != dt.date(2026, 5, 2))
    found = check(replace(_edition(), days=days, local_rule="some rule"), "CN").problems
    assert _codes(found) == ["legal_days_too_few", "legal_day_missing"]


def test_a_legal_day_on_a_wrong_date_is_refused_though_there_are_thirteen() -> None:
    moved = [
        replace(day, date=dt.date(2026, 6, 18)) if day.date == dt.date(2026, 6, 19) else day for day in _edition().days
    ]
    found = check(replace(_edition(), days=tuple(moved)), "CN").problems
    assert [(problem.code, problem.date) for problem in found] == [
        ("legal_day_missing", dt.date(2026, 6, 19)),
        ("not_a_legal_day", dt.date(2026, 6, 18)),
    ]


def test_two_holidays_on_one_date_leave_one_day_for_the_notice_to_place() -> None:
    edition = _edition(2031)  # Mid-Autumn Festival on 1 October
    assert len({day.date for day in edition.days}) == 12
    assert check(edition, "CN").problems == ()
    with_lost_day = replace(edition, days=(*edition.days, Day(dt.date(2031, 10, 4), "statutory", "国庆节", "")))
    assert check(with_lost_day, "CN").problems == ()
    two = replace(with_lost_day, days=(*with_lost_day.days, Day(dt.date(2031, 10, 5), "statutory", "国庆节", "")))
    assert _codes(check(two, "CN").problems) == ["legal_days_too_many", "not_a_legal_day", "not_a_legal_day"]


def test_a_date_is_listed_once_and_in_its_year() -> None:
    twice = replace(_edition(), days=(*_edition().days, Day(dt.date(2026, 2, 14), "restday")))
    assert [(bad.code, bad.date) for bad in check(twice, "CN").problems] == [("date_repeated", dt.date(2026, 2, 14))]
    strange = replace(_edition(), days=(*_edition().days, Day(dt.date(2027, 1, 2), "workday")))
    assert _codes(check(strange, "CN").problems) == ["other_year"]


def test_moved_days_that_the_week_gives_anyway_are_warned_of() -> None:
    days = (*_edition().days, Day(dt.date(2026, 3, 3), "workday"), Day(dt.date(2026, 3, 7), "restday"))
    checked = check(replace(_edition(), days=days), "CN")
    assert checked.problems == ()
    assert [(odd.code, odd.date) for odd in checked.warnings] == [
        ("as_usual", dt.date(2026, 3, 3)),
        ("as_usual", dt.date(2026, 3, 7)),
    ]


def test_other_countries_have_no_number_to_hold() -> None:
    assert check(Edition("DE", 2026, (Day(dt.date(2026, 1, 1), "statutory"),), "me"), "DE").problems == ()


def test_an_edition_says_where_it_is_from() -> None:
    assert _codes(check(replace(_edition(), source=" "), "CN").problems) == ["source_missing"]


# --- differences ----------------------------------------------------------------------------------------------------


def test_a_difference_names_old_and_new_kind_and_name() -> None:
    before = Edition("CN", 2026, (Day(dt.date(2026, 10, 8), "restday", "国庆节", "National Day"),), "a")
    after = Edition("CN", 2026, (Day(dt.date(2026, 10, 10), "workday", "国庆节", "National Day"),), "b")
    assert [(change.date, change.type_from, change.type_to) for change in differences(before, after)] == [
        (dt.date(2026, 10, 8), "restday", "workday"),
        (dt.date(2026, 10, 10), "restday", "workday"),
    ]
    assert changed_types(before, after) == (dt.date(2026, 10, 8), dt.date(2026, 10, 10))


def test_a_new_name_is_a_difference_that_touches_no_result() -> None:
    renamed = replace(_edition(), days=tuple(replace(day, name_zh=day.name_zh + "!") for day in _edition().days))
    assert {change.change for change in differences(_edition(), renamed)} == {"name"}
    assert changed_types(_edition(), renamed) == ()


def test_counts_of_2026() -> None:
    # 365 days; 104 Saturdays and Sundays, of which 2 are legal days (5 Apr, 2 May, 3 Oct: three) and 6 are worked.
    found = counts(_edition())
    assert (found.legal, found.moved_work, found.moved_rest) == (13, 6, 9)
    assert found.legal + found.workdays + found.restdays == 365
    assert found.workdays == 261 - 10 - 9 + 6  # weekdays, less legal ones on weekdays, less bridged, plus moved


_KINDS: list[DayType] = ["workday", "restday", "statutory"]
_editions = st.dictionaries(st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31)), st.sampled_from(_KINDS), max_size=40)


@given(_editions, _editions)
def test_differences_lead_from_one_edition_to_the_other(
    left: dict[dt.date, DayType], right: dict[dt.date, DayType]
) -> None:
    before, after = (Edition("DE", 2026, tuple(Day(*item) for item in days.items()), "") for days in (left, right))
    changed = {change.date: change.type_to for change in differences(before, after)}
    for date in _whole(2026):
        assert changed.get(date, before.as_calendar().type_of(date)) == after.as_calendar().type_of(date)
    assert set(changed_types(before, after)) == {c.date for c in differences(before, after) if c.change == "type"}
    assert differences(after, after) == []
