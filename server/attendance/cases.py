"""Worked cases in the form of the rules' section 5, as facts for the engine: what HR tries a rule with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, NoReturn
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from server.attendance.calendar import Calendar, DayType
from server.attendance.clock import judge_clock
from server.attendance.facts import Absence, Facts, Flex, OvertimeRequest, Punch, Shift, ShiftPlan, Standing
from server.attendance.policy import Policy
from server.attendance.policy_settings import SettingsError, policy_from
from shared.clock import WallMs, to_ms
from shared.errors import DataError
from shared.punch import Direction

Wall = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM")]
MonthText = Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Count = Annotated[int, Meta(ge=0)]
Breaks = tuple[tuple[Wall, Wall], ...]

_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT, None: Direction.UNKNOWN}
_MAX_DAYS = 3_660


class FlexCase(Struct, frozen=True, forbid_unknown_fields=True):
    """AR-18."""

    earliest: Wall
    latest: Wall
    span_min: Annotated[int, Meta(gt=0, le=1_440)]


class ShiftCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A planned shift; an end at or before the start is on the next day."""

    date: date
    start: Wall
    end: Wall
    breaks: Breaks = ()
    flex: FlexCase | None = None


class PunchCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A punch; times without offset are local."""

    t: str
    dev: str | None = None
    rid: str | int | None = None
    user: str | None = None
    dir: Literal["in", "out"] | None = None
    drift_s: int | None = None
    recv: str | None = None
    src: Literal["device", "correction", "phone"] | None = None
    status: Standing | None = None
    grade: Literal["A", "B", "C"] | None = None
    """Time grade; C is a phone punch that waits for a decision (AR-41)."""
    decided: str | None = None


class LeaveCase(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Leave of any type, or ``trip`` or ``field``."""

    type: str
    from_: str
    to: str
    status: Standing = "approved"
    decided: str | None = None
    cancelled: str | None = None


class OvertimeCase(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """An overtime request."""

    from_: str
    to: str
    to_comp: bool = False
    status: Standing = "approved"
    decided: str | None = None
    cancelled: str | None = None


class ClosedCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A closed month and when it was closed."""

    month: MonthText
    at: str


class PeriodCase(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Two dates, both inclusive."""

    from_: date
    to: date


class ExpectedDay(Struct, frozen=True, forbid_unknown_fields=True):
    """A record; what is left out is 0."""

    date: date
    status: str
    flags: tuple[str, ...] = ()
    required_min: int = 0
    worked_min: int = 0
    holiday_work_min: int = 0
    late_min: int = 0
    early_min: int = 0
    gap_min: int = 0
    absent_min: int = 0
    pending_min: int = 0
    exempt_min: int = 0
    leave_min: int = 0
    ot_15_min: int = 0
    ot_20_min: int = 0
    ot_30_min: int = 0
    comp_min: int = 0
    extra_min: int | None = None


class ExpectedAdjustment(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of AR-34."""

    date: date
    posted_to: MonthText
    status_from: str | None
    status_to: str | None
    delta: dict[str, int]


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """What a case must give; of all but ``days`` only what is there is compared."""

    days: tuple[ExpectedDay, ...]
    adjustments: tuple[ExpectedAdjustment, ...] | None = None
    quarantined: int | None = None
    period: dict[str, int | list[str]] | None = None


class CaseFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One case as written."""

    id: str
    title_zh: str = ""
    title_en: str = ""
    note: str = ""
    tz: str = "Asia/Shanghai"
    policy: dict[str, Any] = {}  # the dataclasses of policy.py check it
    calendar: dict[str, DayType] = {}
    shifts: tuple[ShiftCase, ...] = ()
    punches: tuple[str | PunchCase, ...] = ()
    leaves: tuple[LeaveCase, ...] = ()
    ot: tuple[OvertimeCase, ...] = ()
    closed: tuple[ClosedCase, ...] = ()
    period: PeriodCase | None = None
    expect: Expected | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case ready for the engine; ids of punches are their positions in the file."""

    id: str
    zone: ZoneInfo
    policy: Policy
    facts: Facts
    closed: dict[str, WallMs]
    period: tuple[date, date] | None
    expect: Expected | None


class _File(Struct, frozen=True, forbid_unknown_fields=True, rename={"schema_": "schema"}):
    cases: tuple[msgspec.Raw, ...]
    schema_: str = ""
    version: int = 1


class _Named(Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1)]


def read_cases(data: bytes) -> list[Case]:
    """Cases of a JSON file, ``{"cases": [...]}`` or the bare list; DataError names the case and the field."""
    try:
        bare = data.lstrip().startswith(b"[")
        raws = msgspec.json.decode(data, type=tuple[msgspec.Raw, ...]) if bare else _decode(data).cases
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"no file of cases: {error}", "bad_json", {"problem": str(error)}) from error
    cases: list[Case] = []
    for position, raw in enumerate(raws):
        case = _read_case(bytes(raw), position)
        if any(other.id == case.id for other in cases):
            raise _fault(case.id, "id", "is there twice; give each case its own")
        cases.append(case)
    return cases


def _decode(data: bytes) -> _File:
    return msgspec.json.decode(data, type=_File)


def _read_case(raw: bytes, position: int) -> Case:
    try:
        name = msgspec.json.decode(raw, type=_Named).id
    except msgspec.ValidationError as error:
        raise _faulty(f"number {position + 1}", error) from error
    try:
        return _Reader(name).case(msgspec.json.decode(raw, type=CaseFile))
    except msgspec.ValidationError as error:
        raise _faulty(name, error) from error


def _faulty(case: str, error: msgspec.ValidationError, within: str = "") -> DataError:
    """Field first, then what is wrong with it."""
    what, _, where = str(error).partition(" - at `$")
    field = f"{within}{where.rstrip('`')}".lstrip(".")
    missing = re.search(r"(?:missing required|contains unknown) field `(\w+)`", what)
    if missing:
        field = f"{field}.{missing[1]}".lstrip(".")
    return _fault(case, field or "case", what)


def _fault(case: str, field: str, what: str) -> DataError:
    """For a page in parts, which it has words for."""
    return DataError(f"case {case}: {field}: {what}", "bad_case", {"case": case, "field": field, "problem": what})


class _Reader:
    """Turns one case into facts; every error names the case and the field."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.zone = ZoneInfo("UTC")

    def case(self, told: CaseFile) -> Case:
        try:
            self.zone = ZoneInfo(told.tz)
        except (KeyError, ValueError, OSError) as error:  # unknown, not a name, a folder
            self._refuse("tz", f"{told.tz!r} is no time zone; expected an IANA name such as Asia/Shanghai", error)
        policy = self._policy(told.policy)
        facts = Facts(
            tuple(self._shifts(told.shifts)),
            tuple(self._punches(told.punches, policy)),
            tuple(self._absences(told.leaves)),
            tuple(self._overtime(told.ot)),
            self._calendar(told.calendar),
        )
        closed = {month.month: self._instant(month.at, f"closed[{n}].at") for n, month in enumerate(told.closed)}
        return Case(told.id, self.zone, policy, facts, closed, self._period(told.period), told.expect)

    def _policy(self, told: dict[str, Any]) -> Policy:
        try:
            return policy_from(told, clock=True)
        except SettingsError as error:
            field, _, what = str(error).partition(": ")
            raise _fault(self.name, f"policy.{field}", what) from error

    def _shifts(self, told: Sequence[ShiftCase]) -> list[Shift]:
        found = []
        for number, shift in enumerate(told):
            flex = shift.flex
            if flex is not None and flex.latest < flex.earliest:
                self._refuse(f"shifts[{number}].flex.latest", f"{flex.latest} is before earliest {flex.earliest}")
            moving = Flex(flex.earliest, flex.latest, flex.span_min) if flex else None
            found.append(Shift(shift.date, ShiftPlan(f"S{number}", shift.start, shift.end, shift.breaks, moving)))
        return found

    def _punches(self, told: Sequence[str | PunchCase], policy: Policy) -> list[Punch]:
        """Punches as the identity step hands them on: judged by AR-3 and AR-4, replays dropped (AR-2)."""
        found: dict[object, Punch] = {}
        for number, given in enumerate(told):
            punch = given if isinstance(given, PunchCase) else PunchCase(given)
            field = f"punches[{number}]"
            at_ms = self._instant(punch.t, f"{field}.t" if punch is given else field)
            received = self._optional(punch.recv, f"{field}.recv")
            decided = self._optional(punch.decided, f"{field}.decided")
            drift_ms = None if punch.drift_s is None else punch.drift_s * 1_000
            judged = judge_clock(at_ms, drift_ms, received, policy.clock)
            key = self._business_key(punch, at_ms)
            if key in found and (found[key].known_ms or 0) <= (received or 0):
                continue
            unverified = punch.grade == "C"
            found[key] = Punch(
                found[key].id if key in found else number,
                at_ms,
                judged.true_ms,
                _DIRECTIONS[punch.dir],
                judged.held,
                correction=punch.src == "correction",
                standing=punch.status or ("pending" if unverified else "approved"),
                unverified=unverified,
                known_ms=received if decided is None else decided,
            )
        return list(found.values())

    @staticmethod
    def _business_key(punch: PunchCase, at_ms: WallMs) -> object:
        """AR-2: with a record id that, the user and the instant; without, the direction takes its place."""
        mark = ("rid", str(punch.rid)) if punch.rid is not None else ("dir", punch.dir or "")
        return punch.dev, punch.user, at_ms, mark, punch.src

    def _absences(self, told: Sequence[LeaveCase]) -> list[Absence]:
        found = []
        for number, leave in enumerate(told):
            from_ms, to_ms_, known_ms, cancelled_ms = self._span(leave, f"leaves[{number}]")
            if leave.status == "approved":
                kind: Literal["leave", "trip"] = "trip" if leave.type in ("trip", "field") else "leave"
                found.append(Absence(kind, from_ms, to_ms_, known_ms, cancelled_ms, leave.type))
        return found

    def _overtime(self, told: Sequence[OvertimeCase]) -> list[OvertimeRequest]:
        found = []
        for number, request in enumerate(told):
            from_ms, to_ms_, known_ms, cancelled_ms = self._span(request, f"ot[{number}]")
            if request.status == "approved":
                found.append(OvertimeRequest(from_ms, to_ms_, request.to_comp, known_ms, cancelled_ms))
        return found

    def _span(self, told: LeaveCase | OvertimeCase, field: str) -> tuple[WallMs, WallMs, WallMs | None, WallMs | None]:
        from_ms, to_ms_ = self._instant(told.from_, f"{field}.from"), self._instant(told.to, f"{field}.to")
        if to_ms_ <= from_ms:
            self._refuse(f"{field}.to", f"{told.to} is not after from {told.from_}")
        decided = self._optional(told.decided, f"{field}.decided")
        return from_ms, to_ms_, decided, self._optional(told.cancelled, f"{field}.cancelled")

    def _calendar(self, told: dict[str, DayType]) -> Calendar:
        found: dict[date, DayType] = {}
        for text, kind in told.items():
            try:
                found[date.fromisoformat(text)] = kind
            except ValueError as error:
                self._refuse(f"calendar.{text}", "is no date (YYYY-MM-DD)", error)
        return Calendar(found)

    def _period(self, told: PeriodCase | None) -> tuple[date, date] | None:
        if told is None:
            return None
        if not 0 <= (told.to - told.from_).days <= _MAX_DAYS:
            self._refuse("period.to", f"{told.to} is before from {told.from_}, or more than {_MAX_DAYS} days after it")
        return told.from_, told.to

    def _optional(self, text: str | None, field: str) -> WallMs | None:
        return None if text is None else self._instant(text, field)

    def _instant(self, text: str, field: str) -> WallMs:
        try:
            at = datetime.fromisoformat(text)
            return to_ms(at if at.tzinfo else at.replace(tzinfo=self.zone))
        except (ValueError, OverflowError) as error:
            self._refuse(field, f"{text!r} is no time (YYYY-MM-DDTHH:MM:SS, with or without offset)", error)

    def _refuse(self, field: str, what: str, cause: Exception | None = None) -> NoReturn:
        raise _fault(self.name, field, what) from cause
