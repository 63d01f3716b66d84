"""The legal days of China's years, and what the State Council made of the days around them.

Source: the regulation on public holidays (全国年节及纪念日放假办法; 11 days since 2008, 13 since 2025) and the
yearly notices, as the library ``holidays`` knows them; tests hold 2024 to 2026 against the notices themselves.
"""

import datetime as dt
import re
from collections.abc import Mapping
from functools import cache

from server.attendance.calendar import Calendar
from server.calendars.edition import Day

COUNTRY = "CN"

_SINCE_2008, _SINCE_2025 = 11, 13
_SPECIAL = ("休息日", "补假", "延长假期")
_MOVED = re.compile(r"由 (\d{4}-\d{2}-\d{2}) 调休")
_SATURDAY = 5


def legal_number(year: int) -> int:
    """How many days a year the regulation in force that year makes holidays."""
    return _SINCE_2025 if year >= 2025 else _SINCE_2008


@cache
def legal_days(year: int) -> tuple[Day, ...]:
    """The legal holidays of the year in order; two that fall on one date are one day with both names."""
    zh, en = _holidays(year, "zh_CN"), _holidays(year, "en_US")
    return tuple(
        Day(date, "statutory", _joined(name), _joined(en[date]))
        for date, name in sorted(zh.items())
        if not any(word in name for word in _SPECIAL)
    )


def notice_known(year: int) -> bool:
    """Whether the State Council's notice for the year is built in: before that, only the legal days are certain."""
    from holidays.countries.china import ChinaStaticHolidays

    return year in ChinaStaticHolidays.special_public_holidays


def notice_days(year: int) -> tuple[Day, ...]:
    """Rest days on weekdays and workdays on weekends of the notice, in order; none before the notice is known."""
    if not notice_known(year):
        return ()
    week = Calendar()
    legal = {day.date: day for day in legal_days(year)}
    found: dict[dt.date, Day] = {}
    for date, name in _holidays(year, "zh_CN").items():
        if date in legal or week.type_of(date) == "restday":
            continue
        of = min(legal.values(), key=lambda day: (abs((day.date - date).days), day.date))
        found[date] = Day(date, "restday", of.name_zh, of.name_en)
        moved = _MOVED.search(name)
        if moved is not None and (worked := dt.date.fromisoformat(moved[1])).year == year:
            found[worked] = Day(worked, "workday", of.name_zh, of.name_en)
    return tuple(found[date] for date in sorted(found))


@cache
def _holidays(year: int, language: str) -> Mapping[dt.date, str]:
    """Everything that the library lists; it takes long to load, and only who edits calendars needs it."""
    import holidays

    return dict(holidays.country_holidays(COUNTRY, years=year, language=language))


def _joined(name: str) -> str:
    return " · ".join(part.strip() for part in name.split(";"))
