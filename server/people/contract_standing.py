"""How a labour contract stands on a day, and what has to be thought of ahead. Pure."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeAlias

Standing: TypeAlias = Literal["coming", "active", "expiring", "expired", "ended"]
STANDINGS: tuple[Standing, ...] = ("expired", "expiring", "active", "coming", "ended")
"""What is most urgent first."""


@dataclass(frozen=True, slots=True)
class Reminders:
    """How many days ahead a contract's end and the end of a probation are spoken of."""

    expiry_days: int = 30
    probation_days: int = 7


@dataclass(frozen=True, slots=True)
class Term:
    """A contract in its dates; both inclusive."""

    starts_on: dt.date
    ends_on: dt.date | None
    followed: bool
    """There is a later one of the same person."""
    left_on: dt.date | None
    """Last day of the person, where that is known."""


def standing(term: Term, today: dt.date, reminders: Reminders) -> Standing:
    """How a contract stands; one that ran out while the person still works is ``expired``: it needs a new one."""
    if term.left_on is not None and term.left_on < today:
        return "ended"
    if term.starts_on > today:
        return "coming"
    if term.ends_on is None:
        return "active"
    if term.ends_on < today:
        return "ended" if term.followed or _leaves(term) else "expired"
    soon = term.ends_on <= today + dt.timedelta(days=reminders.expiry_days)
    return "expiring" if soon and not term.followed and not _leaves(term) else "active"


def probation_soon(ends_on: dt.date | None, passed: bool | None, today: dt.date, reminders: Reminders) -> bool:
    """Whether somebody has to say within days whether a probation is passed."""
    if ends_on is None or passed is not None:
        return False
    return today <= ends_on <= today + dt.timedelta(days=reminders.probation_days)


def _leaves(term: Term) -> bool:
    """Whether the person goes with the contract."""
    return term.left_on is not None and term.ends_on is not None and term.left_on <= term.ends_on
