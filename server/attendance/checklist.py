"""What stands between a month and its closing (AR-35): a list of codes and counts, some of which must be 0."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from shared.errors import DataError

Code: TypeAlias = Literal[
    "month_not_over",
    "computing",
    "running",
    "pending",
    "requests",
    "held",
    "previous_open",
    "unmatched",
    "terminals",
    "no_roster",
    "calendar",
    "objected",
    "unconfirmed",
]

BLOCKING: tuple[Code, ...] = ("month_not_over", "computing", "running", "pending", "requests", "held")
"""A month can not be closed before these are 0: what is locked would be wrong, or could not be made right any more."""
ADVISORY: tuple[Code, ...] = (
    "previous_open",
    "unmatched",
    "terminals",
    "no_roster",
    "calendar",
    "objected",
    "unconfirmed",
)
"""May stay, when whoever closes says so: a stranger's number or a broken terminal must not stop the pay."""


C = TypeVar("C", bound=str)


@dataclass(frozen=True, slots=True)
class Item(Generic[C]):
    """One line of the list; 0 is well."""

    code: C
    count: int
    blocking: bool
    """Whether it keeps the month open as long as it is not 0."""


def checklist(counts: Mapping[Code, int]) -> list[Item[Code]]:
    """The list in order, blocking items first; a count that was not taken leaves its item out."""
    return items_of(counts, BLOCKING, ADVISORY)


def items_of(counts: Mapping[C, int], blocking: Sequence[C], advisory: Sequence[C]) -> list[Item[C]]:
    """Any list of such items, in order."""
    return [Item(code, counts[code], code in blocking) for code in (*blocking, *advisory) if code in counts]


def refuse_unready(items: Collection[Item[C]], accepted: Collection[str]) -> None:
    """DataError ``not_ready`` with a blocking item left, ``not_accepted`` with an advisory one that nobody accepted."""
    left = [item for item in items if item.count]
    if blocking := [f"{item.code} {item.count}" for item in left if item.blocking]:
        raise DataError(f"it can not be closed yet: {', '.join(blocking)}; settle these first", "not_ready")
    if advisory := [f"{item.code} {item.count}" for item in left if item.code not in accepted]:
        raise DataError(f"not accepted: {', '.join(advisory)}; settle or accept each of them", "not_accepted")
