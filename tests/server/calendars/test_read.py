"""Days from files that HR has lying about."""

import datetime as dt
import io
import json

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from server.calendars.edition import Day
from server.calendars.read import parse_date
from server.services.calendars import read_file
from shared.errors import DataError

CSV = """日期,类型,名称
2026-01-01,法定节假日,元旦
2026/1/2,休息日,元旦
2026年1月4日,上班,元旦
"""
EXPECTED = (
    Day(dt.date(2026, 1, 1), "statutory", "元旦", "元旦"),
    Day(dt.date(2026, 1, 2), "restday", "元旦", "元旦"),
    Day(dt.date(2026, 1, 4), "workday", "元旦", "元旦"),
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_is_read_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    read = read_file(CSV.encode(encoding), "CN")
    assert (read.days, read.problems) == (EXPECTED, ())


def test_xlsx_is_read() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        date = book.add_format({"num_format": "yyyy-mm-dd"})
        for row, cells in enumerate(line.split(",") for line in CSV.splitlines()):
            for column, text in enumerate(cells):
                sheet.write_string(row, column, text)
        sheet.write_datetime(1, 0, dt.datetime(2026, 1, 1), date)  # as a real date, not as text
    assert read_file(out.getvalue(), "CN").days == EXPECTED


def test_json_is_read_with_both_names() -> None:
    days = [{"date": "2026-01-01", "type": "statutory", "name_zh": "元旦", "name_en": "New Year's Day"}]
    expected = (Day(dt.date(2026, 1, 1), "statutory", "元旦", "New Year's Day"),)
    assert read_file(json.dumps({"days": days}).encode(), "CN").days == expected
    assert read_file(json.dumps(days).encode(), "CN").days == expected


def test_a_list_that_says_only_who_is_off_takes_the_legal_days_from_the_law() -> None:
    marks = [
        ("2026-05-01", True),
        ("2026-05-02", True),
        ("2026-05-03", True),
        ("2026-05-04", True),
        ("2026-05-09", False),
    ]
    listed = [{"name": "劳动节", "date": date, "isOffDay": off} for date, off in marks]
    read = read_file(json.dumps({"year": 2026, "days": listed}).encode(), "CN")
    assert [(day.date.day, day.type) for day in read.days] == [
        (1, "statutory"),
        (2, "statutory"),
        (4, "restday"),  # the third is a Sunday: off anyway
        (9, "workday"),
    ]
    marks_csv = "日期,类型\n2026-05-01,休\n2026-05-04,休\n2026-05-09,班\n"
    assert [day.type for day in read_file(marks_csv.encode(), "CN").days] == ["statutory", "restday", "workday"]


def test_rows_that_nothing_can_be_made_of_are_named() -> None:
    read = read_file("日期,类型,名称\n2026-02-30,休息日,x\n2026-02-14,调休,x\n2026-02-15,休息日,x\n".encode(), "CN")
    assert [(bad.row, bad.field, bad.problem.code, dict(bad.problem.parameters)) for bad in read.problems] == [
        (2, "date", "not_a_date", {"text": "2026-02-30"}),
        (3, "type", "unknown_type", {"text": "调休"}),  # off or at work? the word says either
    ]
    assert [day.date.day for day in read.days] == [15]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_rows"),
        (b"{", "bad_file"),
        (b'{"days": 1}', "bad_file"),
        (b"[1]", "bad_file"),
        (b"a,b\n1,2\n", "columns_missing"),
    ],
)
def test_files_that_hold_no_days_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(DataError) as refused:
        read_file(data, "CN")
    assert refused.value.code == code


@given(st.dates(dt.date(2008, 1, 1), dt.date(2099, 12, 31)))
def test_dates_are_read_however_they_are_written(date: dt.date) -> None:
    for pattern in (
        "{0:%Y-%m-%d}",
        "{0.year}/{0.month}/{0.day}",
        "{0.year}年{0.month}月{0.day}日",
        "{0:%Y%m%d}",
        " {0:%Y.%m.%d} ",
    ):
        assert parse_date(pattern.format(date)) == date


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_date(text) is None or isinstance(parse_date(text), dt.date)
