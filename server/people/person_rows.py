"""A table of people, one a row: what its cells mean, and what is wrong with them. No I/O."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from datetime import date
from typing import TypeVar

from server.people.dates import read_date
from server.people.person import ContractKind, HoursPeriod, WorkSystem
from shared.errors import DataError

T = TypeVar("T")

_ID = re.compile(r"[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?")
_EMAIL = re.compile(r"[^\s@]{1,100}@[^\s@]{1,150}\.[^\s@]{1,20}")
_OPEN = ("无固定期限", "长期", "无", "-", "—", "open", "none")
"""Last days that are none."""

KINDS: dict[str, ContractKind] = {
    "固定期限": "fixed_term", "固定期限劳动合同": "fixed_term",
    "有固定期限": "fixed_term", "fixed term": "fixed_term",
    "无固定期限": "open_ended", "无固定期限劳动合同": "open_ended", "open ended": "open_ended",
    "permanent": "open_ended",
    "以完成一定任务为期限": "project", "完成一定工作任务": "project", "项目": "project",
    "非全日制": "part_time", "兼职": "part_time", "part time": "part_time",
    "劳务派遣": "dispatch", "派遣": "dispatch", "劳务": "dispatch", "agency": "dispatch",
    "实习": "internship", "实习协议": "internship", "实习生": "internship", "intern": "internship",
}  # fmt: skip
SYSTEMS: dict[str, tuple[WorkSystem, HoursPeriod | None]] = {
    "标准": ("standard", None), "标准工时": ("standard", None), "标准工时制": ("standard", None),
    "不定时": ("untimed", None), "不定时工时": ("untimed", None), "不定时工作制": ("untimed", None),
    "不定时工时制": ("untimed", None),
    "综合": ("comprehensive", "month"),
    "综合工时": ("comprehensive", "month"), "综合工时制": ("comprehensive", "month"),
    "综合计算工时": ("comprehensive", "month"), "综合计算工时制": ("comprehensive", "month"),
    "综合(月)": ("comprehensive", "month"), "综合(季)": ("comprehensive", "quarter"),
    "综合(年)": ("comprehensive", "year"),
    "综合工时(月)": ("comprehensive", "month"), "综合工时(季)": ("comprehensive", "quarter"),
    "综合工时(年)": ("comprehensive", "year"), "comprehensive month": ("comprehensive", "month"),
    "comprehensive quarter": ("comprehensive", "quarter"), "comprehensive year": ("comprehensive", "year"),
}  # fmt: skip

FIELDS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("id", ("工号", "员工编号", "员工工号", "人员编号", "employee id", "id", "staff no"), True),
    ("name", ("姓名", "员工姓名", "name", "full name"), False),
    ("department", ("部门", "所属部门", "部门路径", "department"), False),
    ("position", ("岗位", "职位", "职务", "position", "job title"), False),
    ("site", ("站点", "工作地点", "网点", "site", "location"), False),
    ("joined_on", ("入职日期", "入职时间", "joined", "joined on", "hire date", "start date"), False),
    ("left_on", ("离职日期", "最后工作日", "left", "left on", "last day"), False),
    ("worked_since", ("参加工作日期", "参加工作时间", "首次参加工作日期", "worked since", "first job"), False),
    ("email", ("邮箱", "电子邮箱", "email", "e-mail"), False),
    ("contract_kind", ("合同类型", "contract type", "contract"), False),
    ("contract_from", ("合同开始", "合同开始日期", "合同起始日期", "contract from", "contract start"), False),
    ("contract_to", ("合同结束", "合同结束日期", "合同到期日期", "合同终止日期", "contract to", "contract end"), False),
    ("work_system", ("工时制", "工时制度", "work system", "working time system"), False),
    ("numbers", ("考勤号", "考勤编号", "终端编号", "考勤机编号", "terminal number", "attendance number"), False),
)
"""Name, known headings, whether it is required."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A cell that can not be read."""

    field: str
    code: str
    parameters: Mapping[str, str] = field_(default_factory=dict)


@dataclass(slots=True)
class PersonRow:
    """What a row says; None for an empty cell, which changes nothing."""

    number: int
    id: str
    name: str | None = None
    department: str | None = None
    position: str | None = None
    site: str | None = None
    joined_on: date | None = None
    left_on: date | None = None
    worked_since: date | None = None
    email: str | None = None
    contract_kind: ContractKind | None = None
    contract_from: date | None = None
    contract_to: date | None = None
    contract_open: bool = False
    """The row says that the contract has no last day."""
    work_system: tuple[WorkSystem, HoursPeriod | None] | None = None
    numbers: tuple[str, ...] = ()
    bad: list[Bad] = field_(default_factory=list)


def read_row(number: int, text: Callable[[str], str]) -> PersonRow:
    """The values of a row; ``text`` gives a field's cell. What can not be read is in ``bad``."""
    row = PersonRow(number, text("id"))
    if not row.id:
        row.bad.append(Bad("id", "empty"))
    elif not _ID.fullmatch(row.id):
        row.bad.append(Bad("id", "bad_id", {"value": row.id[:64]}))
    for name in ("name", "department", "position", "site"):
        if value := text(name):
            setattr(row, name, " ".join(value.split())[:200])
    for name in ("joined_on", "left_on", "worked_since", "contract_from"):
        _date(row, name, text(name))
    if (last := text("contract_to")) and last.lower() in _OPEN:
        row.contract_open = True
    else:
        _date(row, "contract_to", last)
    if email := text("email"):
        if _EMAIL.fullmatch(email):
            row.email = email
        else:
            row.bad.append(Bad("email", "bad_email", {"value": email[:80]}))
    row.contract_kind = _word(row, "contract_kind", text("contract_kind"), KINDS)
    row.work_system = _word(row, "work_system", text("work_system"), SYSTEMS)
    row.numbers = tuple(part for part in re.split(r"[,，;；、\s]+", text("numbers")) if part)
    return row


def path_of(text: str) -> tuple[str, ...]:
    """The steps of a department's path such as ``总部/运营``."""
    return tuple(step.strip() for step in re.split(r"[/／>＞\\]", text) if step.strip())


def find_department(text: str, names: Mapping[str, tuple[str | None, str, str]]) -> list[str]:
    """Ids of the departments a cell can mean: an id, a path from the top, or the end of one.

    ``names`` are parent, Chinese and English name by id.
    """
    if text in names:
        return [text]
    steps = path_of(text)
    if not steps:
        return []
    found = [name for name in names if _ends(name, steps, names)]
    whole = [name for name in found if _depth(name, names) == len(steps)]
    return sorted(whole or found)


def find_named(text: str, names: Iterable[tuple[str, str, str]]) -> list[str]:
    """Ids of what a cell can mean, by id or by a name."""
    rows = list(names)
    if any(text == row[0] for row in rows):
        return [text]
    plain = text.casefold()
    return [row[0] for row in rows if plain in (row[1].casefold(), row[2].casefold())]


def _ends(name: str, steps: Sequence[str], names: Mapping[str, tuple[str | None, str, str]]) -> bool:
    at: str | None = name
    for step in reversed(steps):
        if at is None or at not in names:
            return False
        parent, zh, en = names[at]
        if step.casefold() not in (at.casefold(), zh.casefold(), en.casefold()):
            return False
        at = parent
    return True


def _depth(name: str, names: Mapping[str, tuple[str | None, str, str]]) -> int:
    depth, at = 0, names.get(name)
    while at is not None and depth <= len(names):
        depth += 1
        at = names.get(at[0]) if at[0] is not None else None
    return depth


def _date(row: PersonRow, name: str, text: str) -> None:
    if not text:
        return
    try:
        setattr(row, name, read_date(text))
    except DataError as error:
        row.bad.append(Bad(name, error.code, {"value": text[:40]}))


def _word(row: PersonRow, name: str, text: str, words: Mapping[str, T]) -> T | None:
    if not text:
        return None
    plain = text.lower().replace("（", "(").replace("）", ")").replace("-", " ").replace("_", " ").strip()
    values = {**words, **{_code(value): value for value in words.values()}}
    if plain in values:
        return values[plain]
    row.bad.append(Bad(name, "unknown_word", {"value": text[:40], "expected": "、".join(list(words)[:12])}))
    return None


def _code(value: object) -> str:
    parts = [part for part in value if part] if isinstance(value, tuple) else [value]
    return " ".join(str(part) for part in parts).replace("_", " ")
