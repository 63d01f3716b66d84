"""The worked examples of the attendance rules, section 6, read from their machine-readable form."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.attendance.clock import judge_clock
from server.attendance.engine import compute
from server.attendance.facts import Absence, Facts, Flex, Punch, Shift, ShiftPlan
from server.attendance.policy import Policy
from shared.clock import to_ms
from shared.punch import Direction

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "attendance_examples.json").read_text())["cases"]

WAITING = {
    "overtime requests (AR-23 to AR-27)": [f"A{n}" for n in (30, 32, 33, 34, 35, 36, 37, 38, 39, 40, 42, 61, 65, 66)],
    "seams of back-to-back shifts (AR-11)": ["A22"],
    "scheduled work on statutory dates (AR-28)": ["A41"],
    "month closing (AR-34)": ["A54"],
    "comprehensive hours (AR-31)": ["A59"],
    "untimed posts (AR-32)": ["A60"],
    "rounding (AR-20)": ["A64"],
}
"""Examples of rules that are not built yet."""

BUILT = [case for case in CASES if case["id"] not in {name for names in WAITING.values() for name in names}]
MINUTES = ("required", "worked", "holiday_work", "late", "early", "gap", "absent", "pending", "exempt", "leave")
DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}


def instant(text: str, zone: ZoneInfo) -> int:
    """Milliseconds of a time that is local unless it carries an offset."""
    at = datetime.fromisoformat(text)
    return to_ms((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC))


def punches_of(case: Mapping[str, Any], zone: ZoneInfo) -> list[Punch]:
    """Punches as the identity step hands them on: judged by AR-3 and AR-4, one id for every report of one (AR-2)."""
    found = []
    ids: dict[object, int] = {}
    for given in case["punches"]:
        told = given if isinstance(given, dict) else {"t": given}
        at_ms = instant(told["t"], zone)
        received = instant(told["recv"], zone) if "recv" in told else None
        drift_ms = told["drift_s"] * 1000 if "drift_s" in told else None
        judged = judge_clock(at_ms, drift_ms, received)
        key = (told.get("dev"), told.get("rid"), at_ms, told.get("dir"), told.get("src"))
        found.append(
            Punch(
                ids.setdefault(key, len(ids) + 1),
                at_ms,
                judged.true_ms,
                DIRECTIONS.get(told.get("dir", ""), Direction.UNKNOWN),
                judged.held,
                correction=told.get("src") == "correction",
                approved=told.get("status", "approved") == "approved",
            )
        )
    return found


def facts_of(case: Mapping[str, Any], zone: ZoneInfo) -> Facts:
    """Inputs of an example."""
    shifts = []
    for given in case["shifts"]:
        flex = Flex(**given["flex"]) if "flex" in given else None
        plan = ShiftPlan("S", given["start"], given["end"], tuple((a, b) for a, b in given["breaks"]), flex)
        shifts.append(Shift(datetime.fromisoformat(given["date"]).date(), plan))
    absences = [
        Absence("trip" if a["type"] in ("trip", "field") else "leave", instant(a["from"], zone), instant(a["to"], zone))
        for a in case.get("leaves", ())
    ]
    return Facts(tuple(shifts), tuple(punches_of(case, zone)), tuple(absences))


def zone_of(case: Mapping[str, Any]) -> ZoneInfo:
    """Zone of an example."""
    return ZoneInfo(case.get("tz", "Asia/Shanghai"))


def names(cases: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of examples."""
    return [case["id"] for case in cases]


@pytest.mark.parametrize("case", BUILT, ids=names(BUILT))
def test_worked_example(case: dict[str, Any]) -> None:
    zone = zone_of(case)
    facts = facts_of(case, zone)
    found = [
        {"date": record.date.isoformat(), "status": record.status, "flags": list(record.flags)}
        | {f"{name}_min": getattr(record.minutes, name) for name in MINUTES}
        for record in compute(facts, zone, Policy(**case.get("policy", {})))
    ]
    expected = [
        {"date": day["date"], "status": day["status"], "flags": sorted(day.get("flags", []))}
        | {f"{name}_min": day.get(f"{name}_min", 0) for name in MINUTES}
        for day in case["expect"]["days"]
    ]
    assert found == expected
    assert sum(punch.held is not None for punch in facts.punches) == case["expect"].get("quarantined", 0)


def test_every_example_is_run_or_waits_for_a_named_rule() -> None:
    waiting = [name for ids in WAITING.values() for name in ids]
    assert sorted(waiting + names(BUILT)) == names(CASES)
    assert len(BUILT) == 46


def test_the_examples_are_those_of_the_rules(shared_files: Path) -> None:
    assert json.loads((shared_files / "domain/attendance_examples.json").read_text())["cases"] == CASES
