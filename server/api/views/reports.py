"""Reports of a month."""

from typing import Literal

from server.api.views.base import NameView, View

Cell = str | int | list[str] | None
"""Minutes and counts are whole numbers, days decimal text with two places, dates ISO text, codes lists of them."""


class ColumnView(View):
    """One column; headings are the company's data like its leave types, so both languages come along."""

    id: str
    kind: Literal["text", "name", "code", "codes", "date", "time", "days", "hours", "minutes", "count"]
    """``hours`` and ``minutes`` are both whole minutes; a ``name`` is an id, see ``names``."""
    zh: str
    en: str
    about_zh: str
    about_en: str
    rules: list[str]
    summed: bool


class GroupView(View):
    """A department of a monthly report."""

    id: str
    people: int
    sums: list[Cell]


class ReportView(View):
    """A page of a report with the sums of all its rows."""

    report: str
    month: str
    zone: str
    closed_ms: int | None
    """None while the month is open."""
    columns: list[ColumnView]
    names: dict[str, list[NameView]]
    """By column: what ids are called."""
    total: int
    rows: list[list[Cell]]
    sums: list[Cell]
    groups: list[GroupView]
    """Departments, of a monthly report."""
    departments: list[NameView]
    """To filter by: all in scope."""
    sites: list[NameView]
    version: int
    """Compare with the ``version`` of frames of ``month:YYYY-MM``."""
