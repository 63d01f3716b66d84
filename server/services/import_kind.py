"""What a kind of file that people bring has to say for itself: its fields, how it is checked, applied and undone."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from typing import Any, Literal, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.roles import Permission
from server.access.scope import Scope
from server.services.accounts import Caller
from shared.clock import WallMs
from shared.sheets import Sheet, SheetRow, read_sheet

Option: TypeAlias = str | bool
Before: TypeAlias = dict[str, Any]
"""What has to be known to undo, as JSON: what was there and what was written."""


@dataclass(frozen=True, slots=True)
class ImportField:
    """Something a row can say."""

    name: str
    headings: tuple[str, ...]
    """Column headings that are known to mean it, Chinese and English; the first is shown."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong where, as a code; ``row`` as a spreadsheet counts, None for the file as a whole."""

    row: int | None
    field: str
    code: str
    parameters: Mapping[str, str] = field_(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a row would do: the values by field, before and after, as text."""

    row: int | None
    kind: Literal["added", "changed", "removed"]
    object: str
    """Id of what changes, such as an employee's."""
    name: str
    fields: Mapping[str, tuple[str, str]] = field_(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Who:
    """In whose name."""

    actor: str
    scope: Scope
    now_ms: WallMs
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A file with what its columns mean."""

    name: str
    data: bytes
    sheet: Sheet
    columns: Mapping[str, int]
    """Place of each mapped field."""
    options: Mapping[str, Option]
    who: Who

    def text(self, row: SheetRow, name: str) -> str:
        """What the row says in that field; empty when it has no column."""
        place = self.columns.get(name)
        return row.cells[place].strip() if place is not None and place < len(row.cells) else ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file would do. ``plan`` is the kind's own and leaves out the rows with problems."""

    plan: Any
    added: int = 0
    changed: int = 0
    same: int = 0
    problems: Sequence[RowProblem] = ()
    changes: Sequence[RowChange] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written: all to undo it, counts for the log, live topics that changed."""

    before: Before
    counts: Mapping[str, int] = field_(default_factory=dict)
    topics: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back."""

    counts: Mapping[str, int] = field_(default_factory=dict)
    topics: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ImportKind:
    """One kind of file.

    ``check`` only reads; ``apply`` gets what ``check`` found within its own transaction; ``undo`` raises DataError
    ``changed_since`` with what is in the way. Both touch days and scores themselves; the operation log and the live
    topics are the caller's.
    """

    name: str
    permission: Permission
    fields: tuple[ImportField, ...]
    check: Callable[[AsyncConnection, Question], Awaitable[Checked]]
    apply: Callable[[AsyncConnection, Question, Checked], Awaitable[Applied]]
    undo: Callable[[AsyncConnection, Who, Before], Awaitable[Undone]]
    options: Mapping[str, Option] = field_(default_factory=dict)
    """Known options with their defaults; ``skip_bad_rows`` is every kind's."""
    read: Callable[[bytes], Sheet] = read_sheet
    gives_punches: bool = False
    """Punches change hands: taken up before anything is read, so that none is added meanwhile and missed."""


def suggested(fields: Sequence[ImportField], header: Sequence[str]) -> dict[str, str]:
    """Heading of each field that is known by its name; each column means one thing."""
    plain = [_plain(heading) for heading in header]
    found: dict[str, str] = {}
    taken: set[int] = set()
    for one in fields:
        for heading in one.headings:
            places = [n for n, name in enumerate(plain) if name == _plain(heading) and n not in taken]
            if places:
                taken.add(places[0])
                found[one.name] = header[places[0]]
                break
    return found


def places_of(
    fields: Sequence[ImportField], header: Sequence[str], mapping: Mapping[str, str]
) -> tuple[dict[str, int], list[RowProblem]]:
    """Column of each mapped field, and what the mapping lacks."""
    known = {one.name for one in fields}
    problems = [RowProblem(None, name, "unknown_field") for name in mapping if name not in known]
    columns: dict[str, int] = {}
    for one in fields:
        heading = mapping.get(one.name, "")
        if heading in header and heading:
            columns[one.name] = list(header).index(heading)
        elif heading:
            problems.append(RowProblem(None, one.name, "no_column", {"heading": heading}))
        elif one.required:
            problems.append(RowProblem(None, one.name, "not_mapped"))
    return columns, problems


def _plain(heading: str) -> str:
    """Without spaces, marks of required fields and remarks in brackets."""
    return re.sub(r"[\s*＊:：]|[(（].{0,40}?[)）]", "", heading).lower()
