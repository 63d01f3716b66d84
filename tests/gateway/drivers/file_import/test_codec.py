"""Export files to rows: the worked examples of the protocol page, every encoding, and hostile bytes."""

import random
import struct
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.file_import.clock_files import crc16
from gateway.drivers.file_import.codec import Row, Sheet, read_file
from gateway.drivers.file_import.rows import Dates, dates_of, times_in, when_of
from gateway.profile import FileFacts, load_profile, profile_folder
from shared.errors import DataError
from tests.gateway.drivers.file_import.workbook import workbook

WALL = datetime(2026, 11, 23, 8, 59, 1)
MINUTE = datetime(2026, 11, 23, 8, 59)


def facts(profile: str) -> FileFacts:
    found = load_profile(profile).file
    assert found is not None
    return found


def read(text: str | bytes, profile: str, name: str = "") -> Sheet:
    return read_file(text if isinstance(text, bytes) else text.encode(), facts(profile), name)


# --- attlog.dat -----------------------------------------------------------------------------------------------------

ATTLOG = "     1000\t2026-11-23 08:59:01\t1\t0\t1\t0"


@pytest.mark.parametrize("end", ["\r\n", "\n", ""])
def test_attlog_line_of_the_page(end: str) -> None:
    assert read(ATTLOG + end, "zkteco/usb-attlog").rows == (Row(1, "1000", WALL, 0, 1, (1, 0, 0)),)


def test_a_profile_swaps_state_and_verify() -> None:
    (row,) = read("1\t2026-11-23 08:59:01\t1\t15\t1\t0", "zkteco/usb-attlog-swapped").rows
    assert (row.direction, row.method, row.codes) == (1, 15, (15, 1, 0))


def test_bad_lines_keep_number_and_text() -> None:
    sheet = read(f"{ATTLOG}\r\n\r\n9\t2026-02-31 08:59:01\t1\t0\t1\t0\r\nhello\r\n{ATTLOG}", "zkteco/usb-attlog")
    assert [row.line for row in sheet.rows] == [1, 5]
    assert [(r.line, r.reason) for r in sheet.rejects] == [(3, "bad_time"), (4, "bad_line")]
    assert sheet.rejects[0].raw.startswith("9\t2026-02-31")


def test_binary_attlog_of_40_and_16_bytes() -> None:
    """2026-11-23 08:59:01 is 0x33855C55 on the page of the online log, whose records these are."""
    stamp = struct.pack("<I", 0x33855C55)
    long = struct.pack("<H24sB4sB8s", 1, b"1000\0junk", 1, stamp, 0, b"\0\0\0\0\xff\0\0\0")
    short = struct.pack("<I4sBB2sI", 1000, stamp, 1, 0, b"\0\0", 7)
    assert read(long * 2, "zkteco/usb-attlog").rows[1] == Row(2, "1000", WALL, 0, 1, (1, 0))
    assert read(short * 3, "zkteco/usb-attlog").rows[2] == Row(3, "1000", WALL, 0, 1, (1, 0, 7))
    with pytest.raises(DataError, match="8 bytes"):
        read(struct.pack("<HB4sB", 1, 1, stamp, 0) * 3, "zkteco/usb-attlog")


def test_a_binary_record_is_known_whatever_its_first_byte_is() -> None:
    stamp = struct.pack("<I", 0x33855C55)
    for uid in (0x20, 0x31, 0x09):
        record = struct.pack("<H24sB4sB8s", uid, b"1000", 1, stamp, 0, b"\0\0\0\0\xff\0\0\0")
        assert read(record, "zkteco/usb-attlog").rows[0].user == "1000"


# --- GLG ------------------------------------------------------------------------------------------------------------

HEADERS = [
    "No\tTMNo\tEnNo\tName\tINOUT\tMode\tDateTime",
    "No\tTMNo\tEnNo\tName\tGMNo\tMode\tIn/Out\tAntipass\tProxyWork\tDateTime",
    "No\tTMNo\tEnNo\tName\tGMNo\tMode\tIn/Out\tVM\tDepartment\tDateTime",
    "No\tTMNo\tEnNo\tName\tDateTime",
    "No\tMchn\tEnNo\tName\tMode\tIOMd\tDateTime",
    "No\tMchn\tEnNo\tName\tMode\tIOMd\tAntipass\tDaiGong\tDateTime\tTR",
]
VALUES = {
    "No": "000001",
    "TMNo": "1",
    "Mchn": "1",
    "EnNo": "000001000",
    "Name": "",
    "INOUT": "DutyOn",
    "In/Out": "DutyOn",
    "IOMd": "DutyOn",
    "Mode": "FP",
    "DateTime": "2026/11/23  08:59:01",
}


@pytest.mark.parametrize("header", HEADERS)
def test_glg_takes_the_order_of_its_header(header: str) -> None:
    line = "\t".join(VALUES.get(name, "0") for name in header.split("\t"))
    sheet = read(f"# DeviceModel = T5\r\n{header}\r\n{line}\r\n", "generic/glg")
    (row,) = sheet.rows
    assert (row.user, row.wall, row.number) == ("1000", WALL, 1)
    assert row.direction == ("DutyOn" if {"INOUT", "In/Out", "IOMd"} & set(header.split("\t")) else None)
    assert (sheet.others, sheet.rejects) == (2, ())


def test_glg_without_header_is_known_by_its_seven_columns() -> None:
    (row,) = read("1\t1\t1000\t\t0\t1\t2026-11-23 08:59:01", "generic/glg").rows
    assert (row.user, row.wall, row.codes) == ("1000", WALL, (1, 0))


def test_a_value_above_twelve_proves_the_order_for_the_whole_file() -> None:
    lines = [f"{n}\t1\t1000\t\t0\t1\t{when}" for n, when in enumerate(("11/12/2026 08:59:01", "23/11/2026 08:59:01"))]
    assert [row.wall for row in read("\n".join(lines), "generic/glg").rows] == [datetime(2026, 12, 11, 8, 59, 1), WALL]


def test_an_order_that_nothing_proves_is_not_guessed() -> None:
    line = "1\t1\t1000\t\t0\t1\t11/12/2026 08:59:01"
    assert [reject.reason for reject in read(line, "generic/glg").rejects] == ["ambiguous_date"]
    assumed = read_file(line.encode(), FileFacts(layout="glg", date_order="mdy"))
    assert assumed.rows[0].wall == datetime(2026, 11, 12, 8, 59, 1)
    assert assumed.notes == ("date_order_assumed",)


# --- AFD ------------------------------------------------------------------------------------------------------------

OLD = "0000001273231120260859012345678900"
NEW = "0000001273" + "2026-11-23T08:59:00-0300" + "012345678900" + "ABCD"


def test_afd_1510_mark_of_the_page() -> None:
    assert len(OLD) == 34
    row = Row(1, "012345678900", MINUTE, number=127, private=True)
    assert read(OLD, "generic/afd").rows == (row,)
    assert read(OLD + "1A2B", "henry/prisma").rows == (row,), "some brands append a checksum"


def test_afd_671_mark_of_the_page() -> None:
    assert len(NEW) == 50
    (row,) = read(NEW, "generic/afd").rows
    assert row.wall == MINUTE.replace(tzinfo=timezone(timedelta(hours=-3)))
    assert (row.user, row.number, row.private) == ("012345678900", 127, True)


def test_afd_mark_of_a_program_has_type_7() -> None:
    stamp = "2026-11-23T08:59:00-0300"
    (row,) = read("0000001287" + stamp + "012345678900" + stamp + "020" + "ab" * 32, "generic/afd").rows
    assert (row.number, row.wall.replace(tzinfo=None)) == (128, MINUTE)


def test_other_types_are_counted_and_dropped() -> None:
    lines = ["0000000001" + "1" * 222, "0000000012" + "x" * 20, "0000000024" + "2" * 20, "0000000035" + "I" * 80]
    sheet = read("\r\n".join([*lines, "9999999990000000010000000010000000010000000019"]), "generic/afd")
    assert (sheet.others, sheet.rows, sheet.rejects) == (5, (), ())


def test_sec11_a_rejected_mark_shows_no_national_id() -> None:
    person = "987654321098"
    broken = ["0000001273" + "31022026" + "0859" + person, "0000001273" + "2026-13-23T08:59:00-0300" + person + "ABCD"]
    sheet = read("\n".join(broken), "generic/afd")
    assert len(sheet.rejects) == 2
    assert all(person not in reject.raw and "0000001273" in reject.raw for reject in sheet.rejects)


@pytest.mark.parametrize(("kind", "value"), [("kermit", 0x2189), ("modbus", 0x4B37)])
def test_checksums_have_their_published_check_values(kind: str, value: int) -> None:
    assert crc16(b"123456789", kind) == value


def test_a_checksum_is_verified_only_where_a_profile_says_which() -> None:
    crc = f"{crc16(NEW[:-4].encode(), 'kermit'):04X}"
    checking = FileFacts(layout="afd", crc="kermit")
    assert len(read_file((NEW[:-4] + crc).encode(), checking).rows) == 1
    assert [reject.reason for reject in read_file(NEW.encode(), checking).rejects] == ["bad_crc"]


def test_henry_line_of_the_page() -> None:
    sheet = read("01 N 0   23/11/2026 08:59:01 00000000000000001000", "henry/orion-5")
    assert sheet.rows == (Row(1, "00000000000000001000", WALL),)


# --- tables ---------------------------------------------------------------------------------------------------------

CHINESE = "姓名,工号,日期时间,状态\r\n李雷,0017,2026-11-23 08:59:01,上班签到\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_table_is_read_in_every_encoding(encoding: str) -> None:
    (row,) = read(CHINESE.encode(encoding), "generic/table").rows
    assert (row.line, row.user, row.wall, row.direction) == (2, "0017", WALL, "上班签到")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    assert len(read(CHINESE.replace(",", delimiter), "generic/table").rows) == 1


def test_a_header_below_a_title_and_again_on_the_next_page() -> None:
    sheet = read("公司考勤\r\n" + CHINESE + CHINESE, "generic/table")
    assert (len(sheet.rows), sheet.others) == (2, 3)


def test_several_times_in_a_cell_are_several_punches() -> None:
    sheet = read("工号,日期,打卡时刻\n17,2026-11-23,08:59 12:01 次日00:10\n", "generic/table")
    assert [row.wall for row in sheet.rows] == [
        MINUTE,
        datetime(2026, 11, 23, 12, 1),
        datetime(2026, 11, 24, 0, 10),
    ]


def test_a_workbook_is_read_like_a_csv_file() -> None:
    data = workbook([["工号", "日期时间"], [17, "2026-11-23 08:59:01"], ["0018", "soon"]])
    sheet = read(data, "generic/table")
    assert [(row.user, row.wall) for row in sheet.rows] == [("17", WALL)]
    assert [(reject.line, reject.reason) for reject in sheet.rejects] == [(3, "bad_time")]


def test_a_column_may_name_the_terminal() -> None:
    mapped = FileFacts(layout="table", columns={"user": ["u"], "time": ["t"], "device": ["sn"]})
    assert read_file(b"sn,u,t\nA1,17,2026-11-23 08:59:01\n", mapped).rows[0].device == "A1"


def test_a_table_without_the_mapped_columns_is_refused_as_a_whole() -> None:
    with pytest.raises(DataError, match="header"):
        read("a,b\n1,2\n", "generic/table")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_monthly_sheet_has_a_row_an_employee_and_a_column_a_day(kind: str) -> None:
    days = [str(n) for n in range(1, 32)]
    cells = ["17", *(["08:59 12:01"] + ["迟到 09:10"] + [""] * 20 + ["08:59\n18:02"] + [""] * 8)]
    rows = [["考勤记录表 2026年11月"], ["工号", *days], cells, ["", *[""] * 31], ["18", "休息 3"] + [""] * 30]
    if kind == "xlsx":
        data = workbook(rows)
    else:
        data = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows).encode("gb18030")
    sheet = read(data, "generic/monthly-sheet")
    assert [(row.user, row.wall) for row in sheet.rows] == [
        ("17", datetime(2026, 11, 1, 8, 59)),
        ("17", datetime(2026, 11, 1, 12, 1)),
        ("17", datetime(2026, 11, 2, 9, 10)),
        ("17", MINUTE),
        ("17", datetime(2026, 11, 23, 18, 2)),
    ]
    assert [reject.raw for reject in sheet.rejects] == ["day 1: 休息 3"]


def test_the_month_may_stand_in_the_files_name() -> None:
    rows = "工号,1日,2日,3日,4日,5日\n17,08:59,,,,\n"
    assert read(rows, "generic/monthly-sheet", "考勤2026-11.csv").rows[0].wall == datetime(2026, 11, 1, 8, 59)
    with pytest.raises(DataError, match="month"):
        read(rows, "generic/monthly-sheet", "考勤.csv")


# --- dates and times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026/11/23 08:59:01",
        "2026-11-23  08:59:01",
        "2026年11月23日 08:59:01",
        "2026-11-23T08:59:01",
        "2026-11-23 08:59:01 AM",
        "2026-11-23 上午8:59:01",
        "11/23/2026 8:59:01 am",
        "2026-11-23 08:59:01.500",
    ],
)
def test_forms_of_one_second(text: str) -> None:
    assert when_of(text, dates_of([text], None)) == WALL


def test_noon_and_midnight_of_twelve_hours() -> None:
    assert when_of("2026-11-23 12:00 AM", Dates(None)).hour == 0
    assert when_of("2026-11-23 12:00 PM", Dates(None)).hour == 12
    with pytest.raises(DataError):
        when_of("2026-11-23 13:00 PM", Dates(None))


def test_times_of_a_cell() -> None:
    assert times_in("08:59,12:01;18:02:30") == [
        timedelta(hours=8, minutes=59),
        timedelta(hours=12, minutes=1),
        timedelta(hours=18, minutes=2, seconds=30),
    ]
    assert times_in("缺勤") == []
    with pytest.raises(DataError):
        times_in("25:00")


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)), st.sampled_from(["dmy", "mdy"]))
def test_any_date_comes_back_in_the_order_it_was_written(at: datetime, order: str) -> None:
    at = at.replace(microsecond=0)
    text = at.strftime("%d/%m/%Y %H:%M:%S" if order == "dmy" else "%m/%d/%Y %H:%M:%S")
    assert when_of(text, Dates(order)) == at  # type: ignore[arg-type]


# --- hostile bytes --------------------------------------------------------------------------------------------------

SAMPLES = [
    ATTLOG.encode(),
    f"{HEADERS[0]}\n1\t1\t1000\t\t0\t1\t2026-11-23 08:59:01\n".encode(),
    f"{OLD}\n{NEW}".encode(),
    CHINESE.encode(),
    "2026-11\n工号,1,2,3,4,5\n17,08:59,,,,\n".encode(),
    b"PK\x03\x04",
    workbook([["工号", "日期时间"], [17, "2026-11-23 08:59:01"]]),
]
LAYOUTS = ("zkteco/usb-attlog", "generic/glg", "generic/afd", "henry/orion-5", "generic/table", "generic/monthly-sheet")


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    known = [facts(name) for name in LAYOUTS]
    for _ in range(count):
        data = bytearray(chance.choice(SAMPLES))
        for _ in range(chance.randrange(6)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(5))
        try:
            read_file(bytes(data), chance.choice(known), "x.dat")
        except DataError:
            continue


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_megabyte_of_garbage_takes_little_time(layout: str) -> None:
    begin = time.perf_counter()
    for data in (b"1" * 1_000_000, b"\t" * 1_000_000, b"1:" * 500_000, b'"' * 1_000_000, b" \n" * 300_000):
        try:
            read_file(data, facts(layout))
        except DataError:
            continue
    assert time.perf_counter() - begin < 20


def test_every_profile_of_the_family_says_what_its_file_is() -> None:
    names = [str(p.relative_to(profile_folder()).with_suffix("")) for p in profile_folder().rglob("*.toml")]
    ours = [load_profile(name) for name in names if "file_import" in (profile_folder() / f"{name}.toml").read_text()]
    assert len(ours) >= 15
    assert all(profile.file is not None and profile.link.transport == "file" for profile in ours)
