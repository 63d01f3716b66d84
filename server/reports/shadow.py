"""A month of another system beside ours: which employee-days agree, and why the others most likely do not.

The reason is found in a fixed order, the first that fits; ``docs/howto/parallel-run.md`` has the same list.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from server.attendance.record import Minutes, Status
from server.reports.shadow_shift import KnownShift, differs

TheirStatus: TypeAlias = Literal[
    "normal", "late", "early", "late_early", "missing", "missing_in", "missing_out", "absent", "leave", "rest",
    "overtime", "trip",
]  # fmt: skip
Field: TypeAlias = Literal["status", "late", "early", "absent", "worked", "overtime", "leave"]
Fate: TypeAlias = Literal["used", "merged", "held", "ignored", "free"]
Verdict: TypeAlias = Literal["same", "different", "only_theirs", "only_ours"]
Reason: TypeAlias = Literal[
    "only_theirs", "only_ours", "unfinished", "different_shift", "punch_missing_here", "held", "merged", "window",
    "correction", "punch_missing_there", "leave", "trip", "rest_day", "work_system", "late_leave", "flexible", "seam",
    "rounding", "seconds", "grace", "late_early", "single_side", "absence", "overtime", "worked", "unexplained",
]  # fmt: skip

TOLERANCE: Mapping[Field, int] = {"late": 1, "early": 1, "absent": 6, "worked": 6, "overtime": 6, "leave": 6}
"""Minutes that may lie between: seconds are cut or rounded (AR-6), hours are told in tenths."""
NEAR_MIN = 2
"""A punch of ours this near to their time is the same one."""
DAY_MIN = 24 * 60
_OVERTIME_UNIT = 30

_AT_WORK = frozenset(
    ("normal", "late", "early", "late_early", "missing", "missing_in", "missing_out", "absent", "trip")
)
_MISSING = frozenset(("missing", "missing_in", "missing_out"))
_CLASS: Mapping[Status, str] = {"untimed": "normal", "off": "rest", "rest_ot": "overtime", "holiday_ot": "overtime"}


@dataclass(frozen=True, slots=True)
class Theirs:
    """What the other system says of a day; None where it says nothing."""

    status: TheirStatus | None
    said: str = ""
    """Its own word."""
    minutes: Mapping[str, int] = field(default_factory=dict)
    """Those that it tells, by ``Field``."""
    first: int | None = None
    """Minutes after midnight of the date, as on the wall."""
    last: int | None = None
    """The same; beyond 24 h on the following day."""
    shift: str = ""


@dataclass(frozen=True, slots=True)
class OurPunch:
    """A punch near the date, in minutes after its midnight, and what became of it."""

    at: int
    fate: Fate
    rule: str = ""
    """Of a held one: AR-3 or AR-4."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What we say of a day: its records together, its planned shifts, the punches near it."""

    status: Status | None
    """None without a record."""
    minutes: Minutes = field(default_factory=Minutes)
    finished: bool = True
    first: int | None = None
    last: int | None = None
    shifts: tuple[KnownShift, ...] = ()
    flags: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    punches: tuple[OurPunch, ...] = ()

    @property
    def overtime(self) -> int:
        """Minutes of all classes, banked ones included."""
        minutes = self.minutes
        return minutes.ot_15 + minutes.ot_20 + minutes.ot_30 + minutes.comp + minutes.extra

    @property
    def kind(self) -> str:
        """The status in their terms: ``rest`` also where there is no record."""
        return "rest" if self.status is None else _CLASS.get(self.status, self.status)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure or word that differs, as text."""

    field: Field
    theirs: str
    ours: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One employee-day: the verdict, the likely reason with its rule, and what differs."""

    verdict: Verdict
    reason: Reason | None = None
    rule: str | None = None
    differences: tuple[Difference, ...] = ()


def compare(
    theirs: Theirs | None, ours: Ours | None, *, library: Collection[KnownShift] = (), tells_times: bool = False
) -> Compared:
    """One employee-day. ``library`` are all shifts, whose names their words are looked up in.

    ``tells_times``: the file has first and last punches, so that an empty one means that there was none.
    """
    if theirs is None or (
        theirs.status is None and not theirs.minutes and theirs.first is None and theirs.last is None
    ):
        return Compared("only_ours", "only_ours") if ours is not None and ours.kind != "rest" else Compared("same")
    mine = ours or Ours(None)
    found = tuple(_differences(theirs, mine))
    if not found:
        return Compared("same")
    if mine.status is None and not mine.shifts and not any(0 <= punch.at < DAY_MIN for punch in mine.punches):
        return Compared("only_theirs", "only_theirs", None, found)
    fields = {difference.field for difference in found}
    reason, rule = _reason(theirs, mine, fields, library, tells_times)
    return Compared("different", reason, rule, found)


def _differences(theirs: Theirs, ours: Ours) -> Iterable[Difference]:
    if theirs.status is not None and not _agree(theirs.status, ours):
        yield Difference("status", theirs.status, ours.kind)
    minutes = ours.minutes
    figures: dict[Field, int] = {
        "late": minutes.late,
        "early": minutes.early,
        "absent": minutes.absent,
        "worked": minutes.worked + minutes.holiday_work,
        "overtime": ours.overtime,
        "leave": minutes.leave,
    }
    for name, mine in figures.items():
        told = theirs.minutes.get(name)
        if told is not None and abs(told - mine) > TOLERANCE[name]:
            yield Difference(name, str(told), str(mine))


def _agree(theirs: TheirStatus, ours: Ours) -> bool:
    kind = ours.kind
    match theirs:
        case "missing":
            return kind in _MISSING
        case "trip":
            return kind == "normal" and "trip" in ours.flags
        case "overtime":
            return kind == "overtime" or (kind == "normal" and ours.overtime > 0)
        case "leave":
            return kind == "leave" or (kind == "normal" and ours.minutes.leave > 0)
        case _:
            return kind == theirs


def _reason(
    theirs: Theirs, ours: Ours, fields: Collection[Field], library: Collection[KnownShift], tells_times: bool
) -> tuple[Reason, str | None]:
    if not ours.finished:
        return "unfinished", None
    if theirs.shift and differs(theirs.shift, ours.shifts, library):
        return "different_shift", None
    return (
        _of_punches(theirs, ours, tells_times)
        or _of_day(theirs, ours, fields)
        or _of_system(ours)
        or _of_late_early(theirs, ours, fields)
        or _of_sides(theirs, ours, fields)
        or _of_minutes(theirs, ours, fields)
        or ("unexplained", None)
    )


def _of_punches(theirs: Theirs, ours: Ours, tells_times: bool) -> tuple[Reason, str | None] | None:
    """A punch that only one side knows, or that our rules left out."""
    for told in (theirs.first, theirs.last):
        if told is None:
            continue
        near = {punch.fate: punch for punch in ours.punches if _near(punch.at, told)}
        if not near:
            return "punch_missing_here", None
        if "held" in near and not {"used", "merged"} & near.keys():
            return "held", near["held"].rule or "AR-3"
        if "merged" in near and "used" not in near and _far_from_sides(told, ours):
            return "merged", "AR-5"
        if near.keys() <= {"ignored", "free"}:
            return "window", "AR-9" if "outside_window" in ours.flags else "AR-7"
    lacking = [(theirs.first, ours.first, "missing_in"), (theirs.last, ours.last, "missing_out")]
    for told, mine, side in lacking:
        silent = told is None and (tells_times or theirs.status in ("absent", "missing", side))
        if silent and mine is not None and theirs.status in (*_MISSING, "absent") and ours.kind != theirs.status:
            return ("correction", "AR-1") if "corrected" in ours.flags else ("punch_missing_there", None)
    return None


def _of_day(theirs: Theirs, ours: Ours, fields: Collection[Field]) -> tuple[Reason, str | None] | None:
    """Leave, trips and rest days: what kind of day it is at all."""
    on_leave = ours.kind == "leave" or ours.minutes.leave > 0
    if "leave" in fields or ("status" in fields and (theirs.status == "leave") != on_leave):
        whole = "leave" in (theirs.status, ours.kind)
        return "leave", "AR-17" if "punch_during_leave" in ours.flags else ("AR-16" if whole else "AR-13")
    if "status" in fields and (theirs.status == "trip") != ("trip" in ours.flags):
        return "trip", "AR-16"
    worked_late = theirs.status == "overtime" and bool(ours.shifts)
    if "status" in fields and (theirs.status in _AT_WORK) != (ours.kind in _AT_WORK) and not worked_late:
        return "rest_day", "AR-9"
    return None


def _of_system(ours: Ours) -> tuple[Reason, str | None] | None:
    rule = next((rule for rule in ("AR-32", "AR-31") if rule in ours.rules), None)
    return ("work_system", rule) if rule is not None or ours.status == "untimed" else None


def _of_late_early(theirs: Theirs, ours: Ours, fields: Collection[Field]) -> tuple[Reason, str | None] | None:
    kinds = ("late", "early", "late_early", "normal")
    said = "status" in fields and theirs.status in kinds and ours.kind in kinds
    if not said and not {"late", "early"} & set(fields):
        return None
    marks: tuple[tuple[bool, Reason, str], ...] = (
        ("late_leave_exempt" in ours.flags, "late_leave", "AR-19"),
        ("AR-18" in ours.rules, "flexible", "AR-18"),
        ("seam_auto" in ours.flags, "seam", "AR-11"),
        ("AR-20" in ours.rules, "rounding", "AR-20"),
    )
    for holds, reason, rule in marks:
        if holds:
            return reason, rule
    gaps = [_told(theirs, "late") - ours.minutes.late, _told(theirs, "early") - ours.minutes.early]
    counted = bool({"late", "early"} & theirs.minutes.keys())
    if counted and all(abs(gap) <= 1 for gap in gaps):
        return "seconds", "AR-6"
    forgiven = ours.minutes.exempt > 0 or theirs.status == "normal"
    excused = counted and any(told == 0 < mine for told, mine in _pairs(theirs, ours))
    return ("grace", "AR-14") if forgiven or excused else ("late_early", "AR-14")


def _of_sides(theirs: Theirs, ours: Ours, fields: Collection[Field]) -> tuple[Reason, str | None] | None:
    """The same punches, but one side of the shift counts as missing, or the whole day as absence."""
    if "status" not in fields:
        return None
    if ours.kind in _MISSING or theirs.status in _MISSING:
        return "single_side", "AR-10"
    return ("absence", "AR-16") if "absent" in (theirs.status, ours.kind) else None


def _of_minutes(theirs: Theirs, ours: Ours, fields: Collection[Field]) -> tuple[Reason, str | None] | None:
    if "absent" in fields:
        return ("single_side", "AR-10") if ours.minutes.pending else ("absence", "AR-16")
    if "overtime" in fields or (theirs.status == "overtime" and "status" in fields):
        return "overtime", _overtime_rule(theirs, ours)
    return ("worked", "AR-15") if "worked" in fields else None


def _overtime_rule(theirs: Theirs, ours: Ours) -> str:
    told = _told(theirs, "overtime")
    if "ot_unapproved" in ours.flags and ours.overtime == 0:
        return "AR-29"
    if ours.minutes.holiday_work:
        return "AR-28"
    if 0 < abs(told - ours.overtime) < _OVERTIME_UNIT:
        return "AR-24"
    return "AR-26" if "AR-26" in ours.rules else "AR-23"


def _told(theirs: Theirs, name: str) -> int:
    return theirs.minutes.get(name, 0)


def _pairs(theirs: Theirs, ours: Ours) -> tuple[tuple[int, int], ...]:
    return (_told(theirs, "late"), ours.minutes.late), (_told(theirs, "early"), ours.minutes.early)


def _far_from_sides(told: int, ours: Ours) -> bool:
    """A merged punch within a minute of the one that counts changes nothing."""
    return all(side is None or not _near(side, told) for side in (ours.first, ours.last))


def _near(at: int, told: int) -> bool:
    """Their times past midnight may be told as of the date itself."""
    return min(abs(at - told), abs(at - told - DAY_MIN)) <= NEAR_MIN
