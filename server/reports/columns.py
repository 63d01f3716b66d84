"""Columns of every report: how a value is written, what it counts, which rules it comes from. See columns.toml."""

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Literal, TypeAlias, get_args

import msgspec

ReportName: TypeAlias = Literal["month", "daily", "exceptions", "overtime", "leave", "adjustments"]
TableName: TypeAlias = Literal["month", "daily", "exceptions", "overtime", "leave", "adjustments", "scores"]
"""Reports of attendance, and closed periods of scores."""
Language: TypeAlias = Literal["zh-CN", "en"]
Kind: TypeAlias = Literal[
    "text", "name", "code", "codes", "date", "time", "days", "hours", "minutes", "count", "hundredths"
]
"""``hours`` and ``minutes`` are both whole minutes; they differ in how people read them. ``hundredths`` are of a
point or of a unit of money. A ``code`` has words, a ``name`` is the id of something that the company named."""

REPORTS: tuple[ReportName, ...] = get_args(ReportName)
NUMBERS: frozenset[Kind] = frozenset(("days", "hours", "minutes", "count", "hundredths"))
LEAVE = "leave:"
"""Begins the id of a column of one leave type."""


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column; ``zh`` and ``en`` head it, ``about_*`` say what it counts where the heading does not."""

    id: str
    kind: Kind
    zh: str
    en: str
    about_zh: str = ""
    about_en: str = ""
    rules: tuple[str, ...] = ()
    summed: bool = False
    """Whether a sum over rows means something."""

    def heading(self, language: Language) -> str:
        """What heads the column."""
        return self.zh if language == "zh-CN" else self.en

    def about(self, language: Language) -> str:
        """What it counts."""
        return self.about_zh if language == "zh-CN" else self.about_en


class _Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reports: dict[TableName, tuple[str, ...]]
    groups: dict[str, tuple[Column, ...]]


_BOOK = msgspec.convert(tomllib.loads(files("server.reports").joinpath("columns.toml").read_text("utf-8")), _Book)
_COLUMNS = {
    report: tuple(column for group in groups for column in _BOOK.groups[group])
    for report, groups in _BOOK.reports.items()
}


def columns_of(report: TableName, leave_types: Sequence[tuple[str, str, str]] = ()) -> tuple[Column, ...]:
    """Columns of a report; that of a month has one for each leave type (id, Chinese and English name)."""
    columns = _COLUMNS[report]
    if report != "month":
        return columns
    after = next(number for number, column in enumerate(columns) if column.id == "leave_min") + 1
    return (*columns[:after], *(_of_leave(*each) for each in leave_types), *columns[after:])


def _of_leave(id_: str, name_zh: str, name_en: str) -> Column:
    zh, en = f"{name_zh}\N{FULLWIDTH LEFT PARENTHESIS}时\N{FULLWIDTH RIGHT PARENTHESIS}", f"{name_en} (h)"
    return Column(id=f"{LEAVE}{id_}", kind="hours", zh=zh, en=en, rules=("AR-13",), summed=True)
