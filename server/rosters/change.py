"""What is to be planned otherwise: sets of employee-days with their new shifts."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from server.rosters.pattern import Shifts, dates

EmployeeDay: TypeAlias = tuple[str, date]
Origin: TypeAlias = Literal["manual", "pattern", "import", "swap"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What is planned for an employee-day, and how it came about."""

    shifts: Shifts = ()
    origin: Origin | None = None
    """None where nothing is planned."""


NOTHING = Cell()
PATTERN: Origin = "pattern"

Plan: TypeAlias = Mapping[EmployeeDay, Cell]
Changes: TypeAlias = dict[EmployeeDay, Shifts]


@dataclass(frozen=True, slots=True)
class Difference:
    """One employee-day before and after."""

    employee: str
    date: date
    before: Shifts
    after: Shifts


def differences(plan: Plan, changes: Mapping[EmployeeDay, Shifts]) -> list[Difference]:
    """Employee-days that a change set would alter, in order; the order of shifts on a day means nothing."""
    return [
        Difference(employee, day, before, after)
        for (employee, day), after in sorted(changes.items())
        if set(before := plan.get((employee, day), NOTHING).shifts) != set(after)
    ]


def copied(
    plan: Plan, people: Iterable[str], first: date, last: date, *, weeks: int, over: bool = True
) -> dict[EmployeeDay, Shifts]:
    """The days ``first`` to ``last`` planned again in each of the following ``weeks`` of that length.

    Without ``over``, days that have a plan keep it.
    """
    length = (last - first).days + 1
    found: Changes = {}
    for employee in people:
        for day in dates(first, last):
            shifts = plan.get((employee, day), NOTHING).shifts
            for week in range(1, weeks + 1):
                target = (employee, day + timedelta(days=week * length))
                if over or not plan.get(target, NOTHING).shifts:
                    found[target] = shifts
    return found


def swapped(plan: Plan, a: EmployeeDay, b: EmployeeDay) -> dict[EmployeeDay, Shifts]:
    """Two people work each other's shifts: on one date, or each on the other's date.

    On two dates, whoever gives a shift away is free on its date, and what they had on the other's date stays:
    a check then finds who would be planned twice.
    """
    mine, yours = plan.get(a, NOTHING).shifts, plan.get(b, NOTHING).shifts
    if a[1] == b[1]:
        return {a: yours, b: mine}
    taken_by_a, taken_by_b = (a[0], b[1]), (b[0], a[1])
    return {
        a: (),
        b: (),
        taken_by_a: (*plan.get(taken_by_a, NOTHING).shifts, *yours),
        taken_by_b: (*plan.get(taken_by_b, NOTHING).shifts, *mine),
    }


def from_pattern(
    plan: Plan, laid: Mapping[EmployeeDay, Shifts], *, over: Collection[Origin] = (PATTERN,)
) -> dict[EmployeeDay, Shifts]:
    """What a pattern asks for, without the days that came about otherwise than ``over`` allows to replace."""
    allowed = {None, *over}
    return {key: shifts for key, shifts in laid.items() if plan.get(key, NOTHING).origin in allowed}
