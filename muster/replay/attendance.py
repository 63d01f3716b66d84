"""A year of first and last punches as two wide tables: ``in_time.csv`` and ``out_time.csv``.

One row an employee (first column), one column a working day (``DD/MM/YYYY``), cells ``DD/MM/YYYY HH:MM`` or ``NA``.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from muster.replay.problems import Problem, read_text

FILES = ("in_time.csv", "out_time.csv")
DAY, MINUTE = "%d/%m/%Y", "%d/%m/%Y %H:%M"
NO_PUNCH = "NA"


@dataclass(frozen=True, slots=True)
class Side:
    """One punch: the user number, the terminal's wall clock without zone, and whether it was the way out."""

    user: str
    at: datetime
    out: bool


@dataclass(frozen=True, slots=True)
class Attendance:
    """What both files say; days on which nobody punched are holidays and not in ``days``."""

    users: tuple[str, ...]
    days: tuple[date, ...]
    sides: tuple[Side, ...]
    """In order of time."""
    problems: tuple[Problem, ...]


def read_attendance(folder: Path) -> Attendance:
    """Read both files whole; ConfigError when one is missing or has no table."""
    sides: set[Side] = set()
    users: set[str] = set()
    problems: list[Problem] = []
    for name in FILES:
        rows = list(csv.reader(io.StringIO(read_text(folder / name))))
        days = _header(name, rows[0] if rows else [], problems)
        for line, row in enumerate(rows[1:], start=2):
            if not row:
                continue
            if reason := _row_problem(row, len(days)):
                problems.append(Problem(name, line, reason))
                continue
            users.add(row[0])
            for day, cell in zip(days, row[1:], strict=True):
                side = _side(row[0], day, cell, out=name == FILES[1])
                if isinstance(side, str):
                    problems.append(Problem(name, line, side))
                elif side is not None:
                    sides.add(side)
    ordered = sorted(sides, key=lambda side: (side.at, side.user))
    return Attendance(
        tuple(sorted(users, key=int)),
        tuple(sorted({side.at.date() for side in ordered})),
        tuple(ordered),
        tuple(problems),
    )


def _header(name: str, cells: list[str], problems: list[Problem]) -> list[date | None]:
    days: list[date | None] = []
    for cell in cells[1:]:
        try:
            days.append(datetime.strptime(cell, DAY).date())  # noqa: DTZ007 - a calendar day
        except ValueError:
            days.append(None)
            problems.append(Problem(name, 1, f"column {cell!r} is no day, expected DD/MM/YYYY"))
    if not days:
        problems.append(Problem(name, 1, "no columns, expected one for each day"))
    return days


def _row_problem(row: list[str], days: int) -> str | None:
    if not row[0].isdecimal():
        return f"employee {row[0]!r}, expected a number"
    if len(row) != days + 1:
        return f"{len(row)} cells, expected {days + 1}"
    return None


def _side(user: str, day: date | None, cell: str, *, out: bool) -> Side | str | None:
    """The punch in a cell, none for NA, or what is wrong with it."""
    if cell == NO_PUNCH or day is None:
        return None
    try:
        at = datetime.strptime(cell, MINUTE)  # noqa: DTZ007 - the terminal's wall clock has no zone
    except ValueError:
        return f"employee {user}, {day:{DAY}}: {cell!r} is no time, expected DD/MM/YYYY HH:MM or NA"
    if at.date() != day:
        return f"employee {user}, {day:{DAY}}: {cell!r} lies on another day"
    return Side(user, at, out)
