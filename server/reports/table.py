"""A report as a table: cells, the frame around them, and how a cell reads as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TypeAlias

from server.reports.columns import Column, Language, TableName
from server.reports.words import title, word

Cell: TypeAlias = str | int | Fraction | date | tuple[str, ...] | None
Row: TypeAlias = Sequence[Cell]
Names: TypeAlias = Mapping[str, Mapping[str, tuple[str, str]]]
"""By column: Chinese and English name of each id."""

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a file says beside its rows; times are local to ``zone``."""

    report: TableName
    month: str
    language: Language
    columns: Sequence[Column]
    company: str = ""
    zone: str = ""
    created: str = ""
    """``YYYY-MM-DD HH:MM``"""
    closed_at: str | None = None
    """The same; None while the month is open."""
    names: Names = field(default_factory=dict)
    sums: Row = ()
    """Under each column that is summed; empty where there is no sum row."""

    @property
    def title(self) -> str:
        """Such as ``Acme Monthly attendance report 2026-03``."""
        return " ".join(part for part in (self.company, title(self.report, self.language), self.month) if part)


def hundredths(value: Fraction) -> Decimal:
    """Two decimals, half up."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(HUNDREDTH, ROUND_HALF_UP)


def as_text(cell: Cell, column: Column, frame: Frame) -> str:
    """A cell as people read it; empty for nothing."""
    if cell is None:
        return ""
    if column.kind in ("hours", "days") and isinstance(cell, int | Fraction):
        return str(hundredths(Fraction(cell) / (60 if column.kind == "hours" else 1)))
    if column.kind == "hundredths" and isinstance(cell, int):
        return str(hundredths(Fraction(cell, 100)))
    if isinstance(cell, tuple):
        return ("\N{IDEOGRAPHIC COMMA}" if frame.language == "zh-CN" else ", ").join(
            word(code, frame.language) for code in cell
        )
    if column.kind == "code":
        return word(str(cell), frame.language)
    return named(str(cell), column, frame) if column.kind == "name" else str(cell)


def named(id_: str, column: Column, frame: Frame) -> str:
    """Name of an id in the frame's language; the id where there is none."""
    both = frame.names.get(column.id, {}).get(id_)
    if both is None:
        return id_
    return both[0] if frame.language == "zh-CN" else both[1]


def summed(columns: Sequence[Column], rows: Sequence[Row]) -> list[Cell]:
    """Sums of the columns that have one; None under the others."""
    sums: list[Cell] = []
    for number, column in enumerate(columns):
        values = [cell for row in rows if isinstance(cell := row[number], int | Fraction)]
        sums.append(sum(values, start=Fraction(0)) if column.kind == "days" else sum(map(int, values)))
        if not column.summed:
            sums[-1] = None
    return sums
