"""Tables of targets that people bring, CSV or XLSX with the heads indicator, unit, starts and target. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from server.people.dates import read_date
from server.scoring.target import Target, read_amount
from shared.errors import DataError
from shared.sheets import SheetRow, read_sheet

HEADS = ("indicator", "unit", "starts", "target")
MOST_LINES = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a line out."""

    line: int
    """From 1, the heads included, as a spreadsheet shows it."""
    field: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class TargetLine:
    """A line as it was written, and what it sets: None while it has a fault of its own."""

    line: int
    told: Sequence[str]
    """In the order of ``HEADS``."""
    target: Target | None
    faults: tuple[Fault, ...] = ()


def read_targets(data: bytes) -> list[TargetLine]:
    """Lines of a table with their faults; whether there is what they name is asked later.

    DataError for a file of something else: ``targets_column`` with the head as ``field``, ``targets_lines``, or as
    ``read_sheet``.
    """
    sheet = read_sheet(data)
    heads = [head.lower() for head in sheet.header]
    for name in HEADS:
        if heads.count(name) != 1:
            why = f"{heads.count(name)} columns {name}; expected one of each of {','.join(HEADS)}"
            raise DataError(why, "targets_column", {"field": name})
    if not 1 <= len(sheet.rows) <= MOST_LINES:
        raise DataError(f"{len(sheet.rows)} lines below the heads; expected 1 to {MOST_LINES}", "targets_lines")
    places = [heads.index(name) for name in HEADS]
    return _each_once(_line(row, places) for row in sheet.rows)


def _line(row: SheetRow, places: Sequence[int]) -> TargetLine:
    told = [row.cells[place] if place < len(row.cells) else "" for place in places]
    indicator, unit, starts, amount = told
    faults: list[Fault] = []

    def read(field: str, code: str, reader: Callable[[str], T], text: str) -> T | None:
        try:
            return reader(text)
        except DataError as error:
            faults.append(Fault(row.number, field, code, str(error)))
            return None

    day = read("starts", "targets_day", read_date, starts)
    number = read("target", "targets_value", read_amount, amount)
    target = None if day is None or number is None else Target(indicator, unit, day, number)
    return TargetLine(row.number, told, target, tuple(faults))


def _each_once(lines: Iterable[TargetLine]) -> list[TargetLine]:
    """The lines; one that sets again what a line above sets has that as a fault."""
    first: dict[tuple[object, ...], int] = {}
    found = []
    for one in lines:
        if one.target is None:
            found.append(one)
            continue
        key = (one.target.indicator, one.target.unit, one.target.starts)
        above = first.setdefault(key, one.line)
        again = Fault(one.line, "starts", "targets_twice", f"line {above} sets the same from the same day on")
        found.append(one if above == one.line else replace(one, faults=(again,)))
    return found
