"""Which records a person should look at, why, and what usually helps."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.attendance.record import Minutes

Kind: TypeAlias = Literal[
    "missing_in",
    "missing_out",
    "absent",
    "late",
    "early",
    "mid_gap",
    "punch_during_leave",
    "ot_unapproved",
    "ot_limit_day",
    "outside_window",
    "orphan_punch",
    "held",
]
Action: TypeAlias = Literal[
    "ask", "decide", "correct", "release", "request_overtime", "check_leave", "check_roster", "look"
]

FLAG_KINDS: tuple[Kind, ...] = (
    "mid_gap",
    "punch_during_leave",
    "ot_unapproved",
    "ot_limit_day",
    "outside_window",
    "orphan_punch",
)
STATUS_KINDS: tuple[Kind, ...] = ("missing_in", "missing_out", "absent")
KINDS: tuple[Kind, ...] = (*STATUS_KINDS, "held", "late", "early", *FLAG_KINDS)
"""In order of what to do first."""

HELPS: dict[Kind, Action] = {
    "missing_in": "correct",
    "missing_out": "correct",
    "absent": "ask",
    "held": "release",
    "late": "look",
    "early": "look",
    "mid_gap": "ask",
    "punch_during_leave": "check_leave",
    "ot_unapproved": "request_overtime",
    "ot_limit_day": "look",
    "outside_window": "check_roster",
    "orphan_punch": "request_overtime",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """From how many minutes on lateness is worth a look."""

    late_min: int = 30
    early_min: int = 30


def kinds_of(status: str, minutes: Minutes, flags: Collection[str], limits: Limits = Limits()) -> tuple[Kind, ...]:
    """Why a record needs somebody, what matters most first; empty for one that does not."""
    found: list[Kind] = [kind for kind in STATUS_KINDS if kind == status]
    if minutes.late >= limits.late_min > 0:
        found.append("late")
    if minutes.early >= limits.early_min > 0:
        found.append("early")
    found.extend(kind for kind in FLAG_KINDS if kind in flags)
    return tuple(found)


def suggested(kind: Kind, *, pending: int, decided: bool, asked: bool, requested: bool) -> Action:
    """What usually helps: an open request or question is waited for, a decision is enough, else by kind."""
    if decided or requested:
        return "look"
    if asked and pending:
        return "decide"
    return HELPS[kind]
