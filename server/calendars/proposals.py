"""Editions to start from: what is built in for a country's year; in force is only what somebody publishes."""

import datetime as dt
from dataclasses import dataclass
from functools import cache

from server.attendance.calendar import DayType
from server.calendars.edition import Day, Edition
from server.calendars.legal import COUNTRY, legal_days, notice_days, notice_known

NOTICE = "国务院办公厅关于{year}年部分节假日安排的通知"
REGULATION = "全国年节及纪念日放假办法"
FIRST_DEFAULT = 2024
"""A fresh installation gets the years from this one on."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An edition, and whether it is complete: without the yearly notice the adjusted workdays are not known."""

    edition: Edition
    complete: bool


@cache
def countries() -> tuple[str, ...]:
    """Countries and their regions that something is built in for, such as ``DE`` and ``DE-BW``, in order."""
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    named = (f"{country}-{region}" for country, regions in known.items() for region in regions)
    return tuple(sorted([*known, *named]))


def proposed(calendar: str, country: str, year: int) -> Proposal | None:
    """What is built in for that year; None for a country that nothing is known of.

    A calendar whose id is a country with a region, such as ``DE-BW``, gets the days of the region.
    """
    if country == COUNTRY:
        complete = notice_known(year)
        days = tuple(sorted((*legal_days(year), *notice_days(year)), key=lambda day: day.date))
        source = NOTICE.format(year=year) if complete else REGULATION
        return Proposal(Edition(calendar, year, days, source), complete)
    place = calendar if calendar in countries() and calendar.startswith(f"{country}-") else country
    if place not in countries():
        return None
    return Proposal(Edition(calendar, year, _public_holidays(place, year), f"holidays: {place} {year}"), complete=True)


def defaults(until_year: int) -> list[Edition]:
    """Editions that a fresh installation starts with: China's years whose notice is known, up to that one."""
    found = (proposed(COUNTRY, COUNTRY, year) for year in range(FIRST_DEFAULT, until_year + 1))
    return [proposal.edition for proposal in found if proposal is not None and proposal.complete]


def _public_holidays(place: str, year: int) -> tuple[Day, ...]:
    """Public holidays of another country, and weekend days that its government moved work to."""
    import holidays

    country, _, region = place.partition("-")
    listed = holidays.country_holidays(country, subdiv=region or None, years=year)
    zh, en = (_named(country, region, year, language) for language in ("zh_CN", "en_US"))
    kinds: dict[dt.date, DayType] = dict.fromkeys(listed, "statutory")
    kinds |= {date: "workday" for date in listed.weekend_workdays if date.year == year and date not in kinds}
    return tuple(
        Day(date, kind, zh.get(date) or en.get(date, ""), en.get(date, "")) for date, kind in sorted(kinds.items())
    )


def _named(country: str, region: str, year: int, language: str) -> dict[dt.date, str]:
    """Names in that language; empty where the list does not speak it, but for English its own names stand in."""
    import holidays

    spoken = holidays.country_holidays(country).supported_languages
    if language not in spoken and language != "en_US":
        return {}
    said = language if language in spoken else None
    return dict(holidays.country_holidays(country, subdiv=region or None, years=year, language=said))
