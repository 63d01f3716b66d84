"""Minutes of a leave come from the roster; times are those of the zone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.engine import compute
from server.attendance.facts import Absence, Facts, Flex, Shift, ShiftPlan
from server.requests.files import media_type, safe_name
from server.requests.span import (
    covered,
    date_of_overtime,
    date_of_punch,
    dates_of_span,
    instant,
    local_dates,
    midnights,
)
from shared.clock import from_ms, to_ms
from shared.errors import DataError

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
DAY = ShiftPlan("D", "09:00", "18:00", (("12:00", "13:00"),))
NIGHT = ShiftPlan("N", "22:00", "06:00")
FLEX = ShiftPlan("F", "08:00", "17:00", (("12:00", "13:00"),), Flex("08:00", "10:00", 540))
MON = date(2026, 3, 2)
WEEK = [Shift(MON + timedelta(days=n), DAY) for n in range(5)]


def ms(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return instant(f"2026-{text}", zone)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("03-02T09:00", "03-02T18:00", {2: 480}),
        ("03-02T00:00", "03-03T00:00", {2: 480}),
        ("03-02T11:00", "03-02T18:00", {2: 360}),  # A44: the break costs nothing
        ("03-02T12:00", "03-02T13:00", {}),
        ("03-02T09:00", "03-02T12:00", {2: 180}),
        ("03-05T09:00", "03-09T18:00", {5: 480, 6: 480}),  # over a weekend
    ],
)
def test_leave_costs_scheduled_minutes_only(start: str, end: str, expected: dict[int, int]) -> None:
    found = covered(WEEK, ms(start), ms(end), SHANGHAI)
    assert {day.day: minutes for day, minutes in found.items()} == expected


def test_a_night_shift_belongs_to_the_date_on_which_it_starts() -> None:
    found = covered([Shift(MON, NIGHT)], ms("03-03T00:00"), ms("03-03T06:00"), SHANGHAI)
    assert found == {MON: 360}
    assert dates_of_span([Shift(MON, NIGHT)], ms("03-03T00:00"), ms("03-03T06:00"), SHANGHAI) == (MON,)


def test_a_night_over_a_clock_change_costs_what_it_lasts() -> None:
    spring = [Shift(date(2026, 3, 28), NIGHT)]
    assert covered(spring, ms("03-28T20:00", BERLIN), ms("03-29T12:00", BERLIN), BERLIN) == {date(2026, 3, 28): 420}


def test_a_flexible_day_costs_its_required_minutes() -> None:
    assert covered([Shift(MON, FLEX)], ms("03-02T00:00"), ms("03-03T00:00"), SHANGHAI) == {MON: 480}


def test_minutes_are_rounded_up_to_the_unit_and_never_beyond_the_shift() -> None:
    short = ShiftPlan("S", "09:00", "16:30", (("12:00", "13:00"),))  # 390 net
    assert covered(WEEK, ms("03-02T09:00"), ms("03-02T10:10"), SHANGHAI, 60) == {MON: 120}
    assert covered([Shift(MON, short)], ms("03-02T00:00"), ms("03-03T00:00"), SHANGHAI, 240) == {MON: 390}


minutes_of_day = st.integers(0, 3 * 1440)


@given(st.lists(st.sampled_from([DAY, NIGHT]), min_size=3, max_size=3), minutes_of_day, minutes_of_day)
def test_minutes_equal_what_the_engine_counts_as_leave(plans: list[ShiftPlan], one: int, two: int) -> None:
    start, end = (ms("03-01T12:00") + minute * 60_000 for minute in sorted((one, two)))
    shifts = tuple(Shift(MON + timedelta(days=2 * number), plan) for number, plan in enumerate(plans))
    facts = Facts(shifts=shifts, absences=(Absence("leave", start, end),))
    counted = {r.date: r.minutes.leave for r in compute(facts, SHANGHAI) if r.minutes.leave}
    assert covered(shifts, start, end, SHANGHAI) == counted


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59"])
def test_a_time_that_clocks_skip_is_refused(text: str) -> None:
    with pytest.raises(DataError) as refused:
        instant(text, BERLIN)
    assert refused.value.code == "no_such_time"


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30T09:00", "2026-03-02T25:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DataError) as refused:
        instant(text, BERLIN)
    assert refused.value.code == "bad_time"


def test_of_two_equal_times_the_first_is_meant_unless_an_offset_says_other() -> None:
    first, second = instant("2026-10-25T02:30", BERLIN), instant("2026-10-25T02:30+01:00", BERLIN)
    assert second - first == 3_600_000
    assert instant("2026-10-25T02:30+02:00", BERLIN) == first


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from([SHANGHAI, BERLIN]))
def test_a_time_that_exists_comes_back_as_it_was_said(wall: datetime, zone: ZoneInfo) -> None:
    said = wall.replace(second=0, microsecond=0)
    exists = from_ms(to_ms(said.replace(tzinfo=zone))).astimezone(zone).replace(tzinfo=None) == said
    if exists:
        assert from_ms(instant(said.isoformat(), zone)).astimezone(zone).replace(tzinfo=None) == said
    else:
        with pytest.raises(DataError):
            instant(said.isoformat(), zone)


def test_dates_of_a_span_are_half_open() -> None:
    assert local_dates(*midnights(MON, SHANGHAI), SHANGHAI) == (MON,)
    assert local_dates(ms("03-02T10:00"), ms("03-02T10:00"), SHANGHAI) == (MON,)


def test_a_punch_after_midnight_belongs_to_the_shift_before() -> None:
    shifts = [Shift(MON, NIGHT), Shift(MON + timedelta(days=1), DAY)]
    assert date_of_punch(shifts, ms("03-03T06:04"), SHANGHAI) == MON
    assert date_of_punch(shifts, ms("03-03T08:55"), SHANGHAI) == MON + timedelta(days=1)
    assert date_of_punch([], ms("03-03T06:04"), SHANGHAI) == MON + timedelta(days=1)


def test_overtime_belongs_to_the_shift_it_follows_or_to_its_own_date() -> None:
    shifts = [Shift(MON, NIGHT), Shift(MON + timedelta(days=1), NIGHT)]
    assert date_of_overtime(shifts, ms("03-03T06:00"), ms("03-03T08:00"), SHANGHAI) == (MON, True)
    assert date_of_overtime(shifts, ms("03-03T20:00"), ms("03-03T22:00"), SHANGHAI) == (date(2026, 3, 3), True)
    assert date_of_overtime(shifts, ms("03-03T12:00"), ms("03-03T14:00"), SHANGHAI) == (date(2026, 3, 3), False)


# --- documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7 x", "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n00", "image/png"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
    ],
)
def test_a_document_is_known_by_its_content(content: bytes, kind: str) -> None:
    assert media_type(content) == kind


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "file_empty"), (b"<html>", "file_type"), (b"PK\x03\x04", "file_type"), (b"RIFF0000WAVE", "file_type")],
)
def test_anything_else_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(DataError) as refused:
        media_type(content)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("病假条.jpg", "病假条.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ('a"\r\nSet-Cookie: x;.exe', "aSet-Cookie x.pdf"),
        ("C:\\x\\note.html", "note.pdf"),
        ("", "document.pdf"),
        ("x" * 500, "x" * 120 + ".pdf"),
    ],
)
def test_a_documents_name_does_no_harm(name: str, kept: str) -> None:
    assert safe_name(name, b"%PDF-1") == kept
