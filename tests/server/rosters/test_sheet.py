"""Sheets as people write them, and the workbook that reads back as it was written."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.attendance.calendar import PLAIN
from server.attendance.facts import ShiftPlan
from server.rosters.book import Line, roster_book
from server.rosters.change import Cell
from server.rosters.sheet import Columns, Known, Read, day_columns, month_of, read_board, read_list, spellings
from server.rosters.shift import LibraryShift
from shared.sheets import Sheet, SheetRow, read_sheet

LIBRARY = {
    one.id: one
    for one in (
        LibraryShift(ShiftPlan("D", "09:00", "18:00"), "白班", "Day"),
        LibraryShift(ShiftPlan("night", "22:00", "06:00"), "夜班", "Night", "夜"),
        LibraryShift(ShiftPlan("OLD", "08:00", "17:00"), "白班", "Old day", None, retired=True),
    )
}
KNOWN = Known(
    {"e1": "王芳", "e2": "李雷", "e3": "李雷"}, {"王芳": ["e1"], "李雷": ["e2", "e3"]}, spellings(LIBRARY.values())
)
COLUMNS = Columns(0, 1)


def sheet(header: str, *rows: str, above: str = "") -> Sheet:
    """Cells are parted by ``|``; the header stands in row 2."""
    lines = [SheetRow(number, tuple(row.split("|"))) for number, row in enumerate(rows, start=3)]
    return Sheet(tuple(header.split("|")), tuple(lines), (SheetRow(1, (above,)),) if above else (), 2)


def board(header: str, *rows: str, month: str | None = "2026-02", keep_empty: bool = False) -> Read:
    return read_board(sheet(header, *rows), COLUMNS, month, KNOWN, keep_empty=keep_empty)


def problems(read: Read) -> list[tuple[int | None, str, str]]:
    return [(one.row, one.field, one.code) for one in read.problems]


def test_cells_are_codes_ids_names_or_days_off() -> None:
    read = board("工号|姓名|1|2|3|4|5|6|7", "e1|王芳|D|夜|夜班|休|OFF||d+夜")
    assert problems(read) == []
    assert [read.days["e1", date(2026, 2, day)] for day in range(1, 8)] == [
        ("D",), ("night",), ("night",), (), (), (), ("D", "night"),
    ]  # fmt: skip


def test_an_empty_cell_may_mean_that_nothing_is_said() -> None:
    read = board("工号|姓名|1|2", "e1|王芳|D|", keep_empty=True)
    assert set(read.days) == {("e1", date(2026, 2, 1))}


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("1", date(2026, 2, 1)),
        ("1日", date(2026, 2, 1)),
        ("1号", date(2026, 2, 1)),
        ("1 日", date(2026, 2, 1)),
        ("1（日）", date(2026, 2, 1)),
        ("12周四", date(2026, 2, 12)),
        ("12 Thu", date(2026, 2, 12)),
        ("3月1日", date(2026, 3, 1)),
        ("3/1", date(2026, 3, 1)),
        ("2026-02-05", date(2026, 2, 5)),
        ("2026/2/5 (Thu)", date(2026, 2, 5)),
        ("2026年2月5日 星期四", date(2026, 2, 5)),
        ("合计", None),
        ("部门", None),
        ("100", None),
    ],
)
def test_headings_that_are_days(heading: str, expected: date | None) -> None:
    found, wrong = day_columns([heading], "2026-02")
    assert (found.get(0), wrong) == (expected, [])


@pytest.mark.parametrize(
    ("text", "month"),
    [("2026年3月排班表", "2026-03"), ("Roster 2026-11", "2026-11"), ("运营部 2026/1", "2026-01"), ("排班表", None)],
)
def test_the_month_stands_in_the_title(text: str, month: str | None) -> None:
    assert month_of(sheet("工号|1", above=text)) == month
    assert month_of(sheet("工号|1", above="2020年1月"), "2026-05") == "2026-05"


def test_a_day_that_does_not_exist_is_a_problem_once_a_cell_speaks_of_it() -> None:
    assert problems(board("工号|姓名|28|30", "e1|王芳|D|")) == []
    assert problems(board("工号|姓名|28|30", "e1|王芳|D|D")) == [(None, "30", "no_such_date")]


def test_every_problem_names_its_row_and_bad_rows_are_left_out_whole() -> None:
    read = board(
        "工号|姓名|1|2", "e1|王芳|D|Z", "e9|无名|D|D", "|李雷|D|D", "e2|王芳|D|D", "e3|李雷|D|D", "e3|李雷|D|D", "||D|D"
    )
    assert problems(read) == [
        (3, "2026-02-02", "unknown_shift"),
        (4, "employee", "unknown_employee"),
        (5, "name", "ambiguous_name"),
        (6, "name", "name_differs"),
        (8, "employee", "employee_twice"),
        (9, "employee", "no_employee"),
    ]
    assert {employee for employee, _ in read.days} == {"e3"}


def test_a_line_of_weekdays_under_the_dates_is_no_row() -> None:
    assert problems(board("工号|姓名|1|2", "||日|一", "e1||D|D")) == []


def test_a_name_is_enough_when_only_one_bears_it() -> None:
    assert set(board("工号|姓名|1", "|王芳|D").days) == {("e1", date(2026, 2, 1))}


def test_two_shifts_of_one_name_are_told_apart_by_who_can_be_planned() -> None:
    assert board("工号|姓名|1", "e1||白班").days["e1", date(2026, 2, 1)] == ("D",)


def test_a_list_has_a_row_for_each_shift() -> None:
    told = sheet("工号|日期|班次", "e1|2026-02-03|D", "e1|2026-02-03|夜", "e1|2026/2/4|休", "e1|2026-02-30|D", "e8|x|Z")
    read = read_list(told, Columns(0, None, 1, 2), KNOWN)
    assert read.days == {("e1", date(2026, 2, 3)): ("D", "night"), ("e1", date(2026, 2, 4)): ()}
    assert problems(read) == [
        (6, "date", "no_such_date"),
        (7, "employee", "unknown_employee"),
        (7, "shift", "unknown_shift"),
        (7, "date", "no_such_date"),
    ]


FEBRUARY = [date(2026, 2, 1) + timedelta(days=n) for n in range(28)]
cells = st.lists(st.sampled_from(sorted(LIBRARY)), max_size=2, unique=True).map(tuple)


@settings(max_examples=20)
@given(st.dictionaries(st.tuples(st.sampled_from(("e1", "e2")), st.sampled_from(FEBRUARY)), cells, max_size=40))
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_workbook_reads_back_as_it_was_written(language: str, days: dict[tuple[str, date], tuple[str, ...]]) -> None:
    plan = {key: Cell(shifts, "manual") for key, shifts in days.items() if shifts}
    lines = [Line(one, KNOWN.people[one], "运营", date(2020, 1, 1), None) for one in ("e1", "e2")]
    data = roster_book(
        FEBRUARY[0],
        FEBRUARY[-1],
        lines,
        plan,
        LIBRARY,
        calendar=PLAIN,
        language=language,  # type: ignore[arg-type]
    )
    told = read_sheet(data)
    read = read_board(told, COLUMNS, month_of(told), KNOWN, keep_empty=False)
    assert read.problems == []
    assert {key: set(shifts) for key, shifts in read.days.items() if shifts} == {
        key: set(cell.shifts) for key, cell in plan.items()
    }
    assert len(read.days) == 56
