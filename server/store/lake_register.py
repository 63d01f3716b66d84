"""Which files the lake is made of. Files never change: a month is written anew beside the old one, then named here."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from server.facts.catalogue import SEALED
from server.scoring.formula import EndOf, Field, FirstSet, Least, Operand
from server.scoring.part import ReadPart
from server.scoring.plain import When, end_of_day
from server.scoring.window import EPOCH, Days, epoch_day, window_of
from server.store.counted_facts import shapes

REGISTER = "lake.json"
UNDATED = "undated"
"""Month of rows without any date."""
Range: TypeAlias = tuple[int | str, int | str] | None


class LakeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One month of one fact."""

    fact: str
    month: str
    digest: str
    """Of its rows and fields as they were in the database."""
    rows: int
    size: int
    """Bytes."""
    ranges: dict[str, Range]
    """First and last value of each field that is a date; None where every row leaves it empty."""

    def path(self, folder: Path) -> Path:
        """Where it is."""
        return folder / self.fact / f"{self.month}-{self.digest}.parquet"


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All files."""

    files: tuple[LakeFile, ...] = ()

    def of(self, fact: str) -> dict[str, LakeFile]:
        """Files of a fact by month."""
        return {file.month: file for file in self.files if file.fact == fact}


def facts_in_lake() -> tuple[str, ...]:
    """Every fact but those with sealed fields: nothing of pay is ever written (C3)."""
    return tuple(fact for fact in shapes() if fact not in SEALED)


def read_register(folder: Path) -> Register:
    """What was written last; nothing where nothing was."""
    try:
        return msgspec.json.decode((folder / REGISTER).read_bytes(), type=Register)
    except FileNotFoundError:
        return Register()


def save_register(folder: Path, register: Register) -> None:
    """Name these files from now on, and remove those that are named no more."""
    new = folder / f"{REGISTER}.new"
    with new.open("wb") as file:
        file.write(msgspec.json.encode(register))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / REGISTER)
    named = {file.path(folder) for file in register.files}
    for path in folder.glob("*/*"):
        if path not in named:
            path.unlink(missing_ok=True)


def files_for(files: Iterable[LakeFile], part: ReadPart, when: When) -> list[LakeFile]:
    """Those files that may hold rows in the window of a part."""
    if part.date is None:
        return list(files)
    window = window_of(part.part.window, when.days)
    window = Days(EPOCH, window.last) if part.part.stock else window
    wanted = _wanted(window, when)
    shape = shapes()[part.part.fact]
    names = list(fields_of(part.date.operand))
    return [file for file in files if any(_meets(file.ranges.get(name), wanted[shape[name]]) for name in names)]


def fields_of(operand: Operand) -> Iterable[str]:
    """Fields that an operand reads."""
    match operand:
        case Field(name) | EndOf(name):
            yield name
        case Least(left, right):
            yield from fields_of(left)
            yield from fields_of(right)
        case FirstSet(options):
            for option in options:
                yield from fields_of(option)
        case _:
            pass


def _wanted(window: Days, when: When) -> Mapping[str, Range]:
    """The window as each kind of date is kept."""
    first, last = epoch_day(window.first), epoch_day(window.last)
    return {
        "day": (first, last),
        "instant": (end_of_day(first - 1, when.zone) + 1, end_of_day(last, when.zone)),
        "month": (f"{window.first:%Y-%m}", f"{window.last:%Y-%m}"),
    }


def _meets(held: Range, wanted: Range) -> bool:
    return held is not None and wanted is not None and held[0] <= wanted[1] and wanted[0] <= held[1]  # type: ignore[operator]
