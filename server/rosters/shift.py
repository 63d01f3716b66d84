"""Shifts of the library: their hours in minutes, and what makes one unusable."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from server.attendance.facts import Flex, ShiftPlan
from server.attendance.spans import Spans, length, union

DAY_MIN = 1_440
LONGEST_CODE = 4
FREE_WORDS: frozenset[str] = frozenset({"休", "休息", "off", "rest", "-", "/"})
"""What sheets write for a day without shift; no shift may be called so."""

_WALL = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

Params: TypeAlias = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with which field; ``code`` and parameters, never a sentence."""

    field: str
    code: str
    params: Params


@dataclass(frozen=True, slots=True)
class LibraryShift:
    """A shift that can be planned."""

    plan: ShiftPlan
    name_zh: str
    name_en: str
    code: str | None = None
    """One to four characters for narrow boards; None: the id."""
    retired: bool = False
    """Kept for the past, not planned any more."""

    @property
    def id(self) -> str:
        """As rosters name it."""
        return self.plan.id

    @property
    def label(self) -> str:
        """What stands on a board."""
        return self.code or self.plan.id


def minutes(wall: str) -> int:
    """Minutes since midnight of ``HH:MM``."""
    return int(wall[:2]) * 60 + int(wall[3:])


def wall(minute: int) -> str:
    """``HH:MM`` of a minute, whatever the day."""
    return f"{minute % DAY_MIN // 60:02}:{minute % 60:02}"


def reach(plan: ShiftPlan) -> tuple[int, int]:
    """First and last minute the shift may take, from midnight of its date; for a flexible one all its room."""
    if plan.flex is None:
        start = minutes(plan.start)
        return start, start + _between(plan.start, plan.end)
    return minutes(plan.flex.earliest), minutes(plan.flex.latest) + plan.flex.span_min


def span_min(plan: ShiftPlan) -> int:
    """Minutes from start to end, breaks included, on a day without a change of clocks."""
    return plan.flex.span_min if plan.flex else _between(plan.start, plan.end)


def net_min(plan: ShiftPlan) -> int:
    """Scheduled minutes without breaks."""
    return span_min(plan) - length(_breaks(plan))


def straightened(shift: LibraryShift) -> LibraryShift:
    """The same shift as it is stored: a flexible one is shown from its earliest start, breaks are in order."""
    plan = shift.plan
    if plan.flex is not None:
        end = wall(minutes(plan.flex.earliest) + plan.flex.span_min)
        plan = replace(plan, start=plan.flex.earliest, end=end)
    first = minutes(plan.start)
    breaks = tuple(sorted(plan.breaks, key=lambda pair: (minutes(pair[0]) - first) % DAY_MIN))
    return replace(shift, plan=replace(plan, breaks=breaks), code=shift.code or None)


def problems_of(shift: LibraryShift, others: Iterable[LibraryShift]) -> list[Problem]:
    """What makes a shift unusable beside the others; those of the same id are left aside."""
    return _time_problems(shift.plan) or _code_problems(shift, [one for one in others if one.id != shift.id])


def same_times(left: ShiftPlan, right: ShiftPlan) -> bool:
    """Whether nobody's minutes change when one takes the place of the other."""
    return (left.start, left.end, left.breaks, left.flex) == (right.start, right.end, right.breaks, right.flex)


def free_id(wanted: str, taken: Collection[str]) -> str:
    """An id for a copy: ``D`` becomes ``D-2``, then ``D-3``."""
    stem = re.sub(r"-[0-9]+$", "", wanted)
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


def _time_problems(plan: ShiftPlan) -> list[Problem]:
    walls = [("start", plan.start), ("end", plan.end), *(("breaks", wall) for pair in plan.breaks for wall in pair)]
    if plan.flex:
        walls += [("earliest", plan.flex.earliest), ("latest", plan.flex.latest)]
    if wrong := [Problem(field, "no_time", {"value": text}) for field, text in walls if not _WALL.fullmatch(text)]:
        return wrong
    found = _flex_problems(plan.flex) if plan.flex else []
    return found or _break_problems(plan)


def _flex_problems(flex: Flex) -> list[Problem]:
    found = []
    if minutes(flex.latest) < minutes(flex.earliest):
        found.append(Problem("latest", "latest_before_earliest", {"earliest": flex.earliest, "latest": flex.latest}))
    if not 0 < flex.span_min <= DAY_MIN:
        found.append(Problem("span_min", "span_length", {"minutes": flex.span_min, "most": DAY_MIN}))
    return found


def _break_problems(plan: ShiftPlan) -> list[Problem]:
    """A break of a flexible shift has to lie in it whenever the person comes, as required time is span minus breaks."""
    found = []
    first, last = (
        (minutes(plan.flex.latest), minutes(plan.flex.earliest) + plan.flex.span_min) if plan.flex else reach(plan)
    )
    breaks = [_placed(plan, pair) for pair in plan.breaks]
    for (start, end), pair in zip(breaks, plan.breaks, strict=True):
        if start < first or end > last:
            inside = {"from": wall(first), "to": wall(last)} if first < last else {"from": "", "to": ""}
            found.append(Problem("breaks", "break_outside", {"break": f"{pair[0]}-{pair[1]}", **inside}))
    if not found and length(union(breaks)) < sum(end - start for start, end in breaks):
        found.append(Problem("breaks", "breaks_overlap", {}))
    if not found and net_min(plan) <= 0:
        found.append(Problem("breaks", "no_net_time", {"minutes": span_min(plan)}))
    return found


def _code_problems(shift: LibraryShift, others: Collection[LibraryShift]) -> list[Problem]:
    found = []
    if shift.code is not None and len(shift.code) > LONGEST_CODE:
        found.append(Problem("code", "code_length", {"most": LONGEST_CODE}))
    for field, name in (("code", shift.code), ("id", shift.id)):
        if name is not None and name.casefold() in FREE_WORDS:
            found.append(Problem(field, "name_of_day_off", {"value": name}))
    if shift.retired:
        return found
    for other in others:
        same = {shift.label.casefold(), shift.id.casefold()} & {other.label.casefold(), other.id.casefold()}
        if same and not other.retired:
            found.append(Problem("code", "code_taken", {"code": shift.label, "shift": other.id}))
    return found


def _between(start: str, end: str) -> int:
    return (minutes(end) - minutes(start)) % DAY_MIN or DAY_MIN


def _breaks(plan: ShiftPlan) -> Spans:
    return union(_placed(plan, pair) for pair in plan.breaks)


def _placed(plan: ShiftPlan, pair: tuple[str, str]) -> tuple[int, int]:
    """Minutes of a break from midnight of the shift's date: one before the start is after midnight."""
    first = minutes(plan.flex.earliest if plan.flex else plan.start)
    start = minutes(pair[0])
    start += 0 if start >= first else DAY_MIN
    return start, start + _between(*pair)
