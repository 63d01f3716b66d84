"""Month results of other systems: one row per person and day, or one row per person with a column for each day."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_

from server.attendance.months import month_of
from server.reports.shadow import DAY_MIN, TheirStatus
from server.reports.shadow_words import meaning
from shared.sheets import Sheet, SheetRow, read_sheet

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "employee": ("工号", "员工编号", "人员编号", "员工号", "编号", "employee", "employeeid", "id"),
    "name": ("姓名", "员工姓名", "name"),
    "date": ("日期", "考勤日期", "出勤日期", "date", "day"),
    "status": ("状态", "考勤结果", "结果", "考勤状态", "出勤状态", "status", "result"),
    "late": ("迟到", "迟到分钟", "迟到分钟数", "迟到时长", "late"),
    "early": ("早退", "早退分钟", "早退分钟数", "早退时长", "early"),
    "absent": ("旷工", "旷工时长", "旷工分钟", "旷工小时", "absent"),
    "worked": ("出勤时长", "工作时长", "实际出勤", "实出勤", "工时", "出勤小时", "worked", "hours"),
    "overtime": ("加班", "加班时长", "加班小时", "加班分钟", "overtime"),
    "leave": ("请假", "请假时长", "请假小时", "leave"),
    "first": ("上班打卡", "最早打卡", "首次打卡", "上班打卡时间", "签到", "第一次打卡", "first", "in"),
    "last": ("下班打卡", "最晚打卡", "末次打卡", "下班打卡时间", "签退", "最后打卡", "last", "out"),
    "shift": ("班次", "班次名称", "排班", "shift"),
}
"""Headings that each field is known by; the first is shown."""

FIGURES = ("late", "early", "absent", "worked", "overtime", "leave")
DAY_COLUMNS = 15
"""A header with at least so many days is that of a monthly sheet."""
_MOST_MIN = 48 * 60

_DAY = re.compile(
    r"(?:(?:\d{4}[-/年.])?\d{1,2}[-/月.])?0?(\d{1,2})\s*[日号]?\s*[(（]?\s*(?:星期|周)?[一二三四五六日天]?\s*[)）]?"
)
_DATE = re.compile(
    r"(\d{4})[-/年.](\d{1,2})[-/月.](\d{1,2})日?(?:\s*(?:星期|周)[一二三四五六日天])?(?:[ T]0{1,2}:00(?::00)?)?"
)
_CLOCK = re.compile(
    r"(?:(次日|翌日|\+1)\s*)?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[ T])?(\d{1,2})[:：](\d{2})(?:[:：]\d{2})?"
)
_SPAN = re.compile(r"(\d{1,3})[:：](\d{2})")
_HOURS = re.compile(r"小时|hour|\(h\)|（h）|时长\(时\)", re.IGNORECASE)
_MINUTES = re.compile(r"分|min", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ShadowDay:
    """A day of a person as the other system has it."""

    row: int
    employee: str
    date: dt.date
    status: TheirStatus | None
    said: str
    minutes: Mapping[str, int]
    first: int | None
    """Minutes after midnight of the date."""
    last: int | None
    shift: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A row, or a word of the whole file, that nothing could be made of."""

    row: int | None
    field: str
    code: str
    parameters: Mapping[str, str] = field_(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShadowFile:
    """Days of a file, in order of its rows, and what is wrong with it."""

    days: tuple[ShadowDay, ...]
    problems: tuple[Bad, ...]


def read_month_sheet(data: bytes) -> Sheet:
    """The table of a file; a monthly sheet is turned into one row per person and day, under the known headings."""
    sheet = read_sheet(data)
    days = {place: int(match[1]) for place, text in enumerate(sheet.header) if (match := _DAY.fullmatch(text.strip()))}
    days = {place: day for place, day in days.items() if 1 <= day <= 31}
    if len(set(days.values())) < DAY_COLUMNS:
        return sheet
    kept = [place for place in range(len(sheet.header)) if place not in days]
    ends = min(days)  # sums stand behind the days, people before them
    kept = [place for place in kept if place < ends]
    header = (*(sheet.header[place] for place in kept), "日期", "状态")
    rows = []
    for row in sheet.rows:
        person = tuple(_cell(row, place) for place in kept)
        rows += [
            SheetRow(row.number, (*person, str(day), _cell(row, place)))
            for place, day in days.items()
            if _cell(row, place)
        ]
    return Sheet(header, tuple(rows), sheet.above, sheet.header_row)


def read_month(sheet: Sheet, columns: Mapping[str, int], month: str, words: Mapping[str, str]) -> ShadowFile:
    """Days of the month ``YYYY-MM`` in a table; ``words`` say what the other system's own words mean."""
    days: dict[tuple[str, dt.date], ShadowDay] = {}
    problems: list[Bad] = []
    strange: dict[str, int] = {}
    units = {name: _unit(sheet, columns, name) for name in FIGURES if name in columns}
    for row in sheet.rows:
        texts = {name: _cell(row, place) for name, place in columns.items()}
        if not texts.get("employee"):
            continue  # weekdays below the header, sums, remarks
        read = _day(row.number, texts, month, words, units)
        if isinstance(read, Bad):
            problems.append(read)
            continue
        day, unknown = read
        for word in unknown:
            strange[word] = strange.get(word, 0) + 1
        if (key := (day.employee, day.date)) in days:
            problems.append(Bad(row.number, "date", "day_repeated", {"first": str(days[key].row)}))
        else:
            days[key] = day
    problems += [
        Bad(None, "status", "unknown_word", {"word": word, "times": str(times)}) for word, times in strange.items()
    ]
    return ShadowFile(tuple(days.values()), tuple(problems))


def _day(
    number: int,
    texts: Mapping[str, str],
    month: str,
    words: Mapping[str, str],
    units: Mapping[str, Callable[[str], int | None]],
) -> tuple[ShadowDay, tuple[str, ...]] | Bad:
    date = parse_day(texts.get("date", ""), month)
    if date is None:
        return Bad(number, "date", "not_a_date", {"text": texts.get("date", "")[:40]})
    if month_of(date) != month:
        return Bad(number, "date", "other_month", {"date": date.isoformat(), "month": month})
    said = texts.get("status", "")
    understood = meaning(said, words)
    minutes = dict(understood.minutes)
    for name, unit in units.items():
        if text := texts.get(name, ""):
            told = unit(text)
            if told is None or told > _MOST_MIN:
                return Bad(number, name, "not_a_number", {"text": text[:40]})
            minutes[name] = told
    clock: dict[str, int | None] = {}
    for side in ("first", "last"):
        text = texts.get(side, "")
        clock[side] = parse_clock(text)
        if text and clock[side] is None and meaning(text, words).status is None and text not in ("-", "--", "/", "无"):
            return Bad(number, side, "not_a_time", {"text": text[:40]})
    first, last = clock["first"], clock["last"]
    if first is not None and last is not None and last < first:
        last += DAY_MIN
    day = ShadowDay(
        number, texts["employee"], date, understood.status, said, minutes, first, last, texts.get("shift", "")
    )
    return day, understood.unknown


def parse_day(text: str, month: str) -> dt.date | None:
    """A date, or a day of that month; None for anything else."""
    match = _DATE.fullmatch(text.strip())
    parts: Sequence[str] = match.groups() if match is not None else ()
    if match is None and (alone := re.fullmatch(r"0?(\d{1,2})[日号]?", text.strip())) is not None:
        parts = [*month.split("-"), alone[1]]
    try:
        return dt.date(*map(int, parts)) if len(parts) == 3 else None
    except ValueError:
        return None


def parse_clock(text: str) -> int | None:
    """Minutes after midnight of ``08:57``, ``08:57:31``, ``次日 06:02``; None for anything else."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None or int(match[2]) > 29 or int(match[3]) > 59:
        return None
    return int(match[2]) * 60 + int(match[3]) + (DAY_MIN if match[1] else 0)


def _unit(sheet: Sheet, columns: Mapping[str, int], name: str) -> Callable[[str], int | None]:
    """How figures of a column read: by its heading, else late and early in minutes, small figures in hours."""
    place = columns[name]
    heading = sheet.header[place] if place < len(sheet.header) else ""
    if _HOURS.search(heading):
        return lambda text: _figure(text, 60)
    if _MINUTES.search(heading) or name in ("late", "early"):
        return lambda text: _figure(text, 1)
    told = [figure for row in sheet.rows if (figure := _figure(_cell(row, place), 1)) is not None]
    scale = 60 if all(figure <= 24 for figure in told) else 1
    return lambda text: _figure(text, scale)


def _figure(text: str, scale: int) -> int | None:
    """Minutes; ``8:30`` is a length of time whatever the scale."""
    bare = text.strip()
    if match := _SPAN.fullmatch(bare):
        return int(match[1]) * 60 + int(match[2])
    unit = {"小时": 60, "h": 60, "分钟": 1, "分": 1, "min": 1}
    named = next((word for word in unit if bare.endswith(word)), "")
    number = bare.removesuffix(named).strip()
    if not re.fullmatch(r"\d{1,5}(\.\d{1,4})?", number):
        return 0 if bare in ("-", "--", "/", "无") else None
    return round(float(number) * (unit[named] if named else scale))


def _cell(row: SheetRow, place: int) -> str:
    return row.cells[place].strip() if place < len(row.cells) else ""
