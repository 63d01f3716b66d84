"""What speaks against a plan: conflicts that can not be saved, warnings from the law, advice.

Hours are those of the clock on the wall; the hour that a change of clocks adds or takes is left aside.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TypeAlias

from server.attendance.calendar import PLAIN, Calendar
from server.attendance.months import month_of
from server.attendance.policy import WorkSystem
from server.rosters.catalogue import BY_CODE, Level
from server.rosters.pattern import WEEK, Shifts
from server.rosters.shift import DAY_MIN, LibraryShift, Params, minutes, net_min, reach

AROUND = timedelta(days=14)
"""How much of the plan around the changed dates a check has to be given."""
DAY_LIMIT_MIN = 480
WEEK_LIMIT_MIN = 2_400
WEEK_LEGAL_MIN = 2_640
PART_TIME_WEEK_MIN = 1_440
WEEKLY_REST_MIN = 1_440
REST_ADVICE_MIN = 660

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Employment:
    """A contract, as far as hours go; ``to_on`` is inclusive, None when it is open."""

    from_on: date
    to_on: date | None
    kind: str
    system: WorkSystem


@dataclass(frozen=True, slots=True)
class Person:
    """Who is planned."""

    id: str
    joined_on: date
    left_on: date | None = None
    contracts: tuple[Employment, ...] = ()
    calendar: Calendar = PLAIN

    def contract_on(self, day: date) -> Employment | None:
        """The newest contract that holds on the date; None without one: standard hours."""
        holding = [one for one in self.contracts if one.from_on <= day and (one.to_on is None or day <= one.to_on)]
        return max(holding, key=lambda one: one.from_on, default=None)

    def system_on(self, day: date) -> WorkSystem:
        """Work system of the date."""
        contract = self.contract_on(day)
        return contract.system if contract else "standard"

    def part_time_on(self, day: date) -> bool:
        """Whether the contract of the date is for part of the time."""
        contract = self.contract_on(day)
        return contract is not None and contract.kind == "part_time"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that speaks against the plan of an employee-day."""

    employee: str
    date: date
    code: str
    params: Params = field(compare=False)

    @property
    def level(self) -> Level:
        """How much it weighs."""
        return BY_CODE[self.code].level


@dataclass(frozen=True, slots=True)
class _Piece:
    """A planned shift in minutes since day 0; ``sure`` is taken whenever the person comes."""

    date: date
    shift: LibraryShift
    start: int
    end: int
    sure: tuple[int, int]


_Together: TypeAlias = Callable[[_Piece, _Piece], bool]


def check(
    person: Person,
    before: Mapping[date, Shifts],
    after: Mapping[date, Shifts],
    library: Mapping[str, LibraryShift],
    *,
    closed: Collection[str] = (),
) -> list[Finding]:
    """Findings about the dates whose shifts differ between two plans, in order of date.

    Both plans reach ``AROUND`` beyond those dates; days that are not in them are free.
    """
    changed = sorted(
        d for d in {*before, *after} if set(before.get(d, ())) != set(after.get(d, ())) or _twice(after, d)
    )
    found = [
        finding for day in changed for finding in _of_day(person, day, before, after, library=library, closed=closed)
    ]
    planned = {day for day in changed if after.get(day)}
    pieces = _pieces(after, library)
    found += _overlaps(person, pieces, planned)
    if not any(finding.level == "conflict" for finding in found):
        found += _warnings(person, pieces, planned)
    return sorted(found)


def worst(findings: Iterable[Finding]) -> Level | None:
    """The heaviest level among the findings."""
    levels = {finding.level for finding in findings}
    ranks: tuple[Level, ...] = ("conflict", "warning", "advice")
    return next((level for level in ranks if level in levels), None)


# --- conflicts ------------------------------------------------------------------------------------------------------


def _of_day(
    person: Person,
    day: date,
    before: Mapping[date, Shifts],
    after: Mapping[date, Shifts],
    *,
    library: Mapping[str, LibraryShift],
    closed: Collection[str],
) -> Iterator[Finding]:
    shifts = after.get(day, ())
    if month_of(day) in closed:
        yield Finding(person.id, day, "month_closed", {"month": month_of(day)})
    if shifts and (day < person.joined_on or (person.left_on is not None and day > person.left_on)):
        left = person.left_on.isoformat() if person.left_on else ""
        yield Finding(person.id, day, "not_employed", {"joined_on": person.joined_on.isoformat(), "left_on": left})
    for name in dict.fromkeys(shifts):
        if name not in library:
            yield Finding(person.id, day, "unknown_shift", {"shift": name})
        elif library[name].retired and name not in before.get(day, ()):
            yield Finding(person.id, day, "retired_shift", {"shift": name})
        if shifts.count(name) > 1:
            yield Finding(person.id, day, "shift_twice", {"shift": name})


def _twice(plan: Mapping[date, Shifts], day: date) -> bool:
    shifts = plan.get(day, ())
    return len(set(shifts)) < len(shifts)


def _overlaps(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> list[Finding]:
    found = []
    for number, piece in enumerate(pieces):
        for other in pieces[number + 1 :]:
            if other.start >= piece.end and other.start > piece.start:
                break
            if piece.date in planned or other.date in planned:
                surely = max(piece.sure[0], other.sure[0]) < min(piece.sure[1], other.sure[1])
                flexible = piece.shift.plan.flex or other.shift.plan.flex
                code = "overlap" if surely or not flexible else "order_unclear"
                shown, beside = (other, piece) if other.date in planned else (piece, other)
                names: Params = {"shift": shown.shift.id, "other": beside.shift.id}
                found.append(Finding(person.id, shown.date, code, {**names, "other_date": beside.date.isoformat()}))
    return found


def _pieces(plan: Mapping[date, Shifts], library: Mapping[str, LibraryShift]) -> list[_Piece]:
    found = []
    for day, shifts in plan.items():
        for name in dict.fromkeys(shifts):
            if name in library:
                midnight, (first, last), flex = (
                    day.toordinal() * DAY_MIN,
                    reach(library[name].plan),
                    library[name].plan.flex,
                )
                core = (minutes(flex.latest), minutes(flex.earliest) + flex.span_min) if flex else (first, last)
                sure = midnight + core[0], midnight + core[1]
                found.append(_Piece(day, library[name], midnight + first, midnight + last, sure))
    return sorted(found, key=lambda piece: (piece.start, piece.end, piece.shift.id))


# --- the law --------------------------------------------------------------------------------------------------------


def _warnings(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> list[Finding]:
    return [
        *_long_days(person, pieces, planned),
        *_long_weeks(person, pieces, planned),
        *_without_rest(person, pieces, planned),
        *_short_rests(person, pieces, planned),
        *_holidays(person, pieces, planned),
    ]


def _net(pieces: Iterable[_Piece]) -> int:
    return sum(net_min(piece.shift.plan) for piece in pieces)


def _long_days(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> Iterator[Finding]:
    for day in sorted(planned):
        total = _net(piece for piece in pieces if piece.date == day)
        if person.system_on(day) == "standard" and total > DAY_LIMIT_MIN:
            yield Finding(person.id, day, "day_over_8h", {"minutes": total, "limit": DAY_LIMIT_MIN})


def _long_weeks(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> Iterator[Finding]:
    """One finding for a week, at its last date that was planned anew."""
    lasts = {day - timedelta(days=day.weekday()): day for day in sorted(planned)}
    for monday, day in lasts.items():
        if person.system_on(day) != "standard":
            continue
        total = _net(piece for piece in pieces if monday <= piece.date < monday + WEEK * _DAY)
        limits = [("week_over_44h", WEEK_LEGAL_MIN), ("week_over_40h", WEEK_LIMIT_MIN)]
        if person.part_time_on(day):
            limits = [("part_time_over_24h", PART_TIME_WEEK_MIN)]
        over = next(((code, limit) for code, limit in limits if total > limit), None)
        if over:
            yield Finding(person.id, day, over[0], {"minutes": total, "limit": over[1], "from": monday.isoformat()})


def _without_rest(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> Iterator[Finding]:
    """Seven dates or more without 24 free hours in one piece; else seven dates in a row with work."""
    unrested = list(_runs(pieces, lambda a, b: b.start - a.end < WEEKLY_REST_MIN))
    in_a_row = list(_runs(pieces, lambda a, b: b.date - a.date <= _DAY))
    for first, last in unrested:
        yield from _run_finding(person, "no_weekly_rest", first, last, planned)
    for first, last in in_a_row:
        if not any(a <= first and last <= b for a, b in unrested):
            yield from _run_finding(person, "seven_days_in_a_row", first, last, planned)


def _run_finding(person: Person, code: str, first: date, last: date, planned: Collection[date]) -> Iterator[Finding]:
    days = (last - first).days + 1
    inside = [day for day in planned if first <= day <= last]
    if days >= WEEK and inside:
        span: Params = {"days": days, "from": first.isoformat(), "to": last.isoformat()}
        yield Finding(person.id, max(inside), code, span)


def _runs(pieces: Sequence[_Piece], together: _Together) -> Iterator[tuple[date, date]]:
    """First and last date of each longest run of shifts that belong together."""
    if not pieces:
        return
    first = pieces[0].date
    for one, following in pairwise(pieces):
        if not together(one, following):
            yield first, one.date
            first = following.date
    yield first, pieces[-1].date


def _short_rests(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> Iterator[Finding]:
    for one, following in pairwise(pieces):
        rest = following.start - one.end
        if one.date != following.date and rest < REST_ADVICE_MIN and {one.date, following.date} & set(planned):
            shown, other = (following, one) if following.date in planned else (one, following)
            limits: Params = {"minutes": rest, "limit": REST_ADVICE_MIN}
            beside: Params = {"other": other.shift.id, "other_date": other.date.isoformat()}
            yield Finding(person.id, shown.date, "short_rest", limits | beside)


def _holidays(person: Person, pieces: Sequence[_Piece], planned: Collection[date]) -> Iterator[Finding]:
    """Once for each shift and legal holiday, a night shift that ends on one included; not for untimed work (AR-32)."""
    for piece in pieces:
        if piece.date not in planned or person.system_on(piece.date) == "untimed":
            continue
        ends_on = date.fromordinal((piece.end - 1) // DAY_MIN)
        for day in (piece.date, ends_on) if ends_on != piece.date else (piece.date,):
            if person.calendar.type_of(day) == "statutory":
                params: Params = {"holiday": day.isoformat(), "shift": piece.shift.id}
                yield Finding(person.id, piece.date, "statutory_work", params)
