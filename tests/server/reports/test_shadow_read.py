"""Month results as attendance systems in China export them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.reports.shadow_read import (
    HEADINGS,
    ShadowFile,
    parse_clock,
    parse_day,
    read_month,
    read_month_sheet,
)
from server.reports.shadow_words import meaning, plain
from server.services.import_kind import ImportField, places_of, suggested
from shared.sheets import Sheet, SheetRow


def read(text: str, month: str = "2026-03", **words: str) -> ShadowFile:
    sheet = read_month_sheet(text.encode())
    return read_month(sheet, columns(sheet), month, words)


def columns(sheet: Sheet) -> dict[str, int]:
    fields = [ImportField(name, headings) for name, headings in HEADINGS.items()]
    return places_of(fields, sheet.header, suggested(fields, sheet.header))[0]


LONG = """工号,姓名,日期,班次,上班打卡,下班打卡,考勤结果,迟到分钟,早退分钟,旷工(小时),工作时长(小时),加班时长
e1,王芳,2026-03-02,白班,08:57,18:03,正常,0,0,0,8.0,0
e2,李雷,2026/3/2,白班,09:10:31,18:00,迟到,10,,,7.83,1.5
e2,李雷,2026年3月3日,夜班,21:55,06:05,正常,,,,8:00,
e3,赵敏,2026-03-02 星期一,白班,,,旷工,,,8,,
"""


def test_a_row_for_each_person_and_day() -> None:
    file = read(LONG)
    assert file.problems == ()
    first, second, night, absent = file.days
    assert (first.employee, first.date, first.status, first.said, first.shift) == (
        "e1", dt.date(2026, 3, 2), "normal", "正常", "白班",
    )  # fmt: skip
    assert (first.first, first.last) == (8 * 60 + 57, 18 * 60 + 3)
    assert first.minutes == {"late": 0, "early": 0, "absent": 0, "worked": 480, "overtime": 0}
    assert (second.status, second.minutes) == ("late", {"late": 10, "worked": 470, "overtime": 90})
    assert (night.first, night.last, night.minutes) == (21 * 60 + 55, 30 * 60 + 5, {"worked": 480})
    assert (absent.status, absent.minutes, absent.first) == ("absent", {"absent": 480}, None)


def test_a_monthly_sheet_has_a_column_for_each_day() -> None:
    days = [str(day) for day in range(1, 32)]
    marks = {1: "休", 2: "√", 3: "迟", 4: "旷", 5: "事假", 6: "√/加"}
    lines = [
        "2026年3月考勤表",
        ",".join(["序号", "工号", "姓名", *days, "出勤天数"]),
        ",".join(["", "", "", *("一二三四五六日"[(day + 5) % 7] for day in range(1, 32)), ""]),
        ",".join(["1", "e1", "王芳", *(marks.get(int(day), "") for day in days), "4"]),
    ]
    file = read("\n".join(lines))
    assert file.problems == ()
    assert [(day.date.day, day.status, day.said) for day in file.days] == [
        (1, "rest", "休"),
        (2, "normal", "√"),
        (3, "late", "迟"),
        (4, "absent", "旷"),
        (5, "leave", "事假"),
        (6, "overtime", "√/加"),
    ]


@pytest.mark.parametrize("style", ["{0}日", "{0:02}", "3月{0}日", "2026-03-{0:02}", "3/{0}", "{0}(一)", "{0}号 周三"])
def test_day_columns_are_known_however_they_are_headed(style: str) -> None:
    header = ["工号", *(style.format(day) for day in range(1, 32))]
    sheet = read_month_sheet((",".join(header) + "\n" + ",".join(["e1", *["√"] * 31])).encode())
    assert sheet.header == ("工号", "日期", "状态")
    assert [row.cells for row in sheet.rows[:2]] == [("e1", "1", "√"), ("e1", "2", "√")]
    assert len(sheet.rows) == 31


@pytest.mark.parametrize(
    ("text", "status", "minutes"),
    [
        ("正常", "normal", {}),
        ("√", "normal", {}),
        ("迟到12分钟", "late", {"late": 12}),
        ("迟到(12分钟)", "late", {"late": 12}),
        ("早退0.5小时", "early", {"early": 30}),
        ("迟到5分钟;早退8分钟", "late_early", {"late": 5, "early": 8}),
        ("迟到、缺卡", "missing", {}),
        ("上班缺卡", "missing_in", {}),
        ("下班未打卡", "missing_out", {}),
        ("旷工", "absent", {}),
        ("年假", "leave", {}),
        ("请假(年假)03-02 09:00到03-02 18:00 8小时", "leave", {}),
        ("休息", "rest", {}),
        ("/", "rest", {}),
        ("休息日加班", "overtime", {}),
        ("出差", "trip", {}),
        ("正常,加班", "overtime", {}),
        ("", None, {}),
        ("8", None, {}),
    ],
)
def test_words_and_marks(text: str, status: str | None, minutes: dict[str, int]) -> None:
    found = meaning(text, {})
    assert (found.status, found.minutes, found.unknown) == (status, minutes, ())


def test_unknown_words_are_listed_once_with_how_often() -> None:
    text = "工号,日期,状态\ne1,1,旅游\ne1,2,旅游\ne1,3,正常\ne1,4,团建3小时\n"
    problems = [(bad.row, bad.code, bad.parameters) for bad in read(text).problems]
    assert problems == [
        (None, "unknown_word", {"word": "旅游", "times": "2"}),
        (None, "unknown_word", {"word": "团建", "times": "1"}),
    ]
    mapped = read(text, 旅游="leave", 团建="ignore")
    assert mapped.problems == ()
    assert [day.status for day in mapped.days] == ["leave", "leave", "normal", None]


def test_a_person_s_word_for_a_mark_comes_before_the_built_in_one() -> None:
    assert meaning("○", {}).status == "normal"
    assert meaning("○", {"○": "rest"}).status == "rest"
    assert meaning("1", {"1": "normal"}).status == "normal"


@pytest.mark.parametrize(
    ("row", "field", "code", "parameters"),
    [
        ("e1,2026-03-32,正常,,,", "date", "not_a_date", {"text": "2026-03-32"}),
        ("e1,2026-04-01,正常,,,", "date", "other_month", {"date": "2026-04-01", "month": "2026-03"}),
        ("e1,2026-03-02,正常,,,viel", "late", "not_a_number", {"text": "viel"}),
        ("e1,2026-03-02,正常,25.30,,", "first", "not_a_time", {"text": "25.30"}),
        ("e1,2026-03-02,正常,,,99999", "late", "not_a_number", {"text": "99999"}),
    ],
)
def test_rows_that_can_not_be_read(row: str, field: str, code: str, parameters: dict[str, str]) -> None:
    file = read(f"工号,日期,状态,上班打卡,下班打卡,迟到\ne1,2026-03-01,休息,,,\n{row}\n")
    assert [(bad.row, bad.field, bad.code, bad.parameters) for bad in file.problems] == [(3, field, code, parameters)]
    assert len(file.days) == 1


def test_a_day_that_comes_twice_is_named_with_the_row_of_the_first() -> None:
    file = read("工号,日期,状态\ne1,2,正常\ne1,2026-03-02,迟到\n")
    assert [(bad.row, bad.code, bad.parameters) for bad in file.problems] == [(3, "day_repeated", {"first": "2"})]
    assert [day.status for day in file.days] == ["normal"]


def test_rows_without_a_person_are_headings_and_sums() -> None:
    assert [day.employee for day in read("工号,日期,状态\n,一,二\ne1,2,正常\n,合计,1\n").days] == ["e1"]


def test_figures_without_a_unit_are_hours_when_all_are_small() -> None:
    hours = read("工号,日期,工时\ne1,2,8\ne1,3,7.5\n").days
    minutes = read("工号,日期,工时\ne1,2,480\ne1,3,7\n").days
    assert [day.minutes["worked"] for day in hours] == [480, 450]
    assert [day.minutes["worked"] for day in minutes] == [480, 7]


@given(st.integers(0, 23), st.integers(0, 59))
def test_times_are_read_as_minutes(hour: int, minute: int) -> None:
    assert parse_clock(f"{hour}:{minute:02}") == parse_clock(f"{hour:02}:{minute:02}:59") == hour * 60 + minute
    assert parse_clock(f"次日 {hour:02}:{minute:02}") == (24 + hour) * 60 + minute


@given(st.text(max_size=30))
def test_any_text_reads_or_reads_as_nothing(text: str) -> None:
    assert parse_clock(text) is None or isinstance(parse_clock(text), int)
    assert parse_day(text, "2026-03") is None or isinstance(parse_day(text, "2026-03"), dt.date)
    found = meaning(text, {})
    assert found.status is None or plain(text) is not None


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=6), min_size=1, max_size=6
    )
)
def test_any_table_gives_days_and_problems(rows: list[list[str]]) -> None:
    sheet = Sheet(("工号", "日期", "状态", "迟到", "上班打卡", "班次"), ())
    with_rows = Sheet(sheet.header, tuple(_row(number, cells) for number, cells in enumerate(rows, 2)))
    file = read_month(with_rows, columns(sheet), "2026-03", {})
    assert all(day.date.month == 3 for day in file.days)


def _row(number: int, cells: list[str]) -> SheetRow:
    return SheetRow(number, tuple(cells))
