"""Files that people bring: encodings, delimiters, titles over the header, and files made to hurt."""

import csv
import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from shared import sheets
from shared.errors import DataError
from shared.sheets import read_sheet

ROWS = (("工号", "姓名", "日期"), ("7", "王芳", "2026-03-02"), ("8", "李, 雷", ""))
TEXT = '工号,姓名,日期\n7,王芳,2026-03-02\n\n8,"李, 雷",\n'


def xlsx(rows: object, name: str = "S", more: object = ()) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for title, body in ((name, rows), *more):  # type: ignore[misc]
            page = book.add_worksheet(title)
            for r, row in enumerate(body):
                for c, value in enumerate(row):
                    page.write_datetime(r, c, value, day) if isinstance(value, dt.date) else page.write(r, c, value)
    return target.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_csv_reads_alike_in_every_encoding_that_office_software_writes(encoding: str) -> None:
    sheet = read_sheet(TEXT.encode(encoding))
    assert (sheet.header, *(row.cells for row in sheet.rows)) == ROWS
    assert [row.number for row in sheet.rows] == [2, 4]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_the_delimiter_is_the_one_that_the_beginning_has_most_of(delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in ROWS)
    assert [row.cells for row in read_sheet(text.encode()).rows] == list(ROWS[1:])


def test_a_workbook_reads_as_typed() -> None:
    sheet = read_sheet(xlsx([("工号", "日期", "数"), (7, dt.date(2026, 3, 2), 1.5), ("", "", ""), ("0008", "x", 2.0)]))
    assert sheet.header == ("工号", "日期", "数")
    assert [(row.number, row.cells) for row in sheet.rows] == [(2, ("7", "2026-03-02", "1.5")), (4, ("0008", "x", "2"))]


def test_a_title_over_the_header_is_no_header() -> None:
    sheet = read_sheet(xlsx([("员工花名册 2026年3月",), ("工号", "姓名"), ("7", "王芳")]))
    assert (sheet.header, sheet.header_row, [row.cells[0] for row in sheet.above]) == (
        ("工号", "姓名"),
        2,
        ["员工花名册 2026年3月"],
    )


def test_one_sheet_of_a_workbook_is_read() -> None:
    data = xlsx([("a", "b")], more=[("T", [("c", "d")])])
    assert [read_sheet(data, sheet=n).header for n in (0, 1)] == [("a", "b"), ("c", "d")]
    with pytest.raises(DataError) as caught:
        read_sheet(data, sheet=2)
    assert caught.value.code == "no_sheet"


@pytest.mark.parametrize("data", [b"PK\x03\x04 no archive", b"\xd0\xcf\x11\xe0 no workbook"])
def test_a_broken_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        read_sheet(data)
    assert caught.value.code == "bad_file"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        read_sheet(b" \n,,\n")
    assert caught.value.code == "no_rows"


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 2)
    assert len(read_sheet(b"a,b\n1,2\n3,4\n").rows) == 2
    with pytest.raises(DataError) as caught:
        read_sheet(b"a,b\n1,2\n3,4\n5,6\n")
    assert caught.value.code == "too_large"


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "UNPACKED_LIMIT", 100)
    with pytest.raises(DataError) as caught:
        read_sheet(xlsx(ROWS))
    assert caught.value.code == "too_large"


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    """The workbook with other text in its sheet."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in source.infolist():
            copy.writestr(entry.filename, source.read(entry).replace(old, new))
    return target.getvalue()


def test_a_workbook_whose_last_cell_is_far_away_is_refused_before_it_takes_the_memory() -> None:
    data = changed(xlsx(ROWS), b'r="B3"', b'r="XFD1048576"')
    with pytest.raises(DataError) as caught:
        read_sheet(data)
    assert caught.value.code == "too_large"


def test_a_size_that_the_archive_states_wrongly_is_found_out() -> None:
    data = bytearray(xlsx([["x" * 5000, "y"]]))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        entry = max(archive.infolist(), key=lambda e: e.file_size)
    size = entry.file_size.to_bytes(4, "little")
    place = data.rindex(size)
    data[place : place + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DataError) as caught:
        read_sheet(bytes(data))
    assert caught.value.code == "bad_file"


def code_of(data: bytes) -> str:
    try:
        read_sheet(data)
    except DataError as error:
        return error.code
    return ""


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        assert code_of(start + data) in ("", "bad_file", "too_large", "no_rows")


_cells = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12)


@given(st.lists(st.tuples(_cells, _cells), min_size=1, max_size=8))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[str, str]]) -> None:
    target = io.StringIO()
    csv.writer(target, quoting=csv.QUOTE_ALL).writerows([("a,,,,,,,,,,,,", "b"), *rows])
    assert [row.cells for row in read_sheet(target.getvalue().encode()).rows] == rows


def test_the_gateway_and_the_server_read_by_this_one_module() -> None:
    root = Path(__file__).parents[2]
    users = [path for path in root.glob("[gs]*/**/*.py") if "python_calamine" in path.read_text()]
    assert [path.relative_to(root).as_posix() for path in users] == ["shared/sheets.py"]
