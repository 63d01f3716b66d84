"""The rule sandbox: the same code as ``muster attendance compute``, held to sizes that take seconds at most."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from server.api.views.sandbox import (
    SandboxAdjustmentView,
    SandboxBody,
    SandboxCaseView,
    SandboxDayView,
    SandboxDifferenceView,
    SandboxPunchView,
    SandboxSpanView,
    SandboxView,
)
from server.attendance.case_result import Difference, Json, compute_case, differences
from server.attendance.cases import Case, read_cases
from server.attendance.schedule import MINUTE_MS, lay_out
from shared.clock import WallMs, from_ms
from shared.errors import DataError

MOST_CASES = 20
MOST_FACTS = 400
"""Shifts, punches, leave and overtime of all cases together."""
MOST_CLOSED = 3
"""Closed months of a case: each is computed again for every month in which something came late."""
LONGEST_S = 10.0
AT_ONCE = 2

_running = asyncio.Semaphore(AT_ONCE)


async def compute(body: SandboxBody) -> SandboxView:
    """Every case with its answer; DataError names case and field, or says what is too much."""
    cases = _read(body.text)
    async with _running:
        try:
            async with asyncio.timeout(LONGEST_S):
                return await asyncio.to_thread(_compute, cases)
        except TimeoutError as error:
            raise DataError(f"took longer than {LONGEST_S:g} s; try fewer days at a time", "sandbox_slow") from error


def _read(text: str) -> list[Case]:
    stripped = text.strip()
    if stripped.startswith("{") and '"cases"' not in stripped:
        stripped = f"[{stripped}]"
    cases = read_cases(stripped.encode())
    facts = sum(
        len(c.facts.shifts) + len(c.facts.punches) + len(c.facts.absences) + len(c.facts.overtime) for c in cases
    )
    for number, most, what in (
        (len(cases), MOST_CASES, "cases"),
        (facts, MOST_FACTS, "facts"),
        (max((len(case.closed) for case in cases), default=0), MOST_CLOSED, "closed"),
    ):
        if number > most:
            about = {"what": what, "number": str(number), "most": str(most)}
            raise DataError(f"{number} {what}, at most {most} at once; leave some out", "sandbox_large", about)
    return cases


def _compute(cases: list[Case]) -> SandboxView:
    found = []
    for case in cases:
        try:
            found.append(_answer(case))
        except (OverflowError, ValueError) as error:  # the first and the last days that calendars know
            about = {"case": case.id, "field": "date", "problem": str(error)}
            raise DataError(
                f"case {case.id}: date: {error}; choose dates of this century", "bad_case", about
            ) from error
    return SandboxView(cases=found)


def _answer(case: Case) -> SandboxCaseView:
    result = compute_case(case)
    found = None if case.expect is None else differences(case.expect, result)
    period: dict[str, Any] = dict(result.period or {})
    return SandboxCaseView(
        id=case.id,
        zone=case.zone.key,
        spans=list(_spans(case)),
        punches=list(_punches(case)),
        days=[_day(day) for day in result.days],
        adjustments=[_adjustment(row) for row in result.adjustments],
        quarantined=result.quarantined,
        period=None if result.period is None else {k: v for k, v in period.items() if isinstance(v, int)},
        period_flags=period.get("flags", []),
        differences=None if found is None else [_difference(one) for one in found],
    )


def _spans(case: Case) -> Iterator[SandboxSpanView]:
    for shift in case.facts.shifts:
        plan = lay_out(shift, case.zone)
        start, end = (_local(minute * MINUTE_MS, case.zone) for minute in (plan.start, plan.end))
        yield SandboxSpanView(kind="shift", start=start, end=end)
    for absence in case.facts.absences:
        start, end = _local(absence.from_ms, case.zone), _local(absence.to_ms, case.zone)
        yield SandboxSpanView(kind=absence.kind, start=start, end=end)
    for request in case.facts.overtime:
        start, end = _local(request.from_ms, case.zone), _local(request.to_ms, case.zone)
        yield SandboxSpanView(kind="overtime", start=start, end=end)


def _punches(case: Case) -> Iterator[SandboxPunchView]:
    for punch in sorted(case.facts.punches, key=lambda punch: (punch.true_ms or punch.at_ms, punch.id)):
        yield SandboxPunchView(
            n=punch.id,
            at=_local(punch.at_ms if punch.true_ms is None else punch.true_ms, case.zone),
            direction=punch.direction.name.lower(),
            held=punch.held,
            correction=punch.correction,
            pending=punch.standing == "pending",
        )


def _day(day: dict[str, Json]) -> SandboxDayView:
    told: dict[str, Any] = day
    return SandboxDayView(
        date=told["date"],
        status=told["status"],
        minutes=_minutes(told),
        flags=told.get("flags", []),
        first=told["first"],
        last=told["last"],
        **told["explain"],
    )


def _adjustment(row: dict[str, Json]) -> SandboxAdjustmentView:
    told: dict[str, Any] = row
    return SandboxAdjustmentView(
        date=told["date"],
        posted_to=told["posted_to"],
        status_from=told["status_from"],
        status_to=told["status_to"],
        delta=_minutes(told["delta"]),
    )


def _minutes(told: dict[str, Any]) -> dict[str, int]:
    return {name.removesuffix("_min"): value for name, value in told.items() if name.endswith("_min")}


def _difference(one: Difference) -> SandboxDifferenceView:
    expected, found = (
        json.dumps(msgspec.to_builtins(value), ensure_ascii=False) for value in (one.expected, one.found)
    )
    return SandboxDifferenceView(where=one.where, expected=expected, found=found)


def _local(at_ms: WallMs, zone: ZoneInfo) -> str:
    return from_ms(at_ms).astimezone(zone).isoformat(timespec="seconds")
