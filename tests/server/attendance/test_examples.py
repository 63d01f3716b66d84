"""The worked examples of the attendance rules, section 6, and cases of rules that they leave out."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.attendance.cases import Case, read_cases
from server.attendance.closing import settle
from server.attendance.engine import compute
from server.attendance.period import period_of

HERE = Path(__file__).parent
FILES = (HERE / "attendance_examples.json", HERE / "more_examples.json")
EXAMPLES: list[dict[str, Any]] = json.loads(FILES[0].read_text(encoding="utf-8"))["cases"]
TOLD: list[dict[str, Any]] = EXAMPLES + json.loads(FILES[1].read_text(encoding="utf-8"))["cases"]
CASES = [case for file in FILES for case in read_cases(file.read_bytes())]
MINUTES = (
    *("required", "worked", "holiday_work", "late", "early", "gap", "absent", "pending", "exempt", "leave"),
    *("ot_15", "ot_20", "ot_30", "comp", "extra"),
)


@pytest.mark.parametrize(("case", "told"), list(zip(CASES, TOLD, strict=True)), ids=[case.id for case in CASES])
def test_worked_example(case: Case, told: dict[str, Any]) -> None:
    settled = settle(case.facts, case.zone, case.policy, case.closed)
    found = [
        {"date": record.date.isoformat(), "status": record.status, "flags": list(record.flags)}
        | {f"{name}_min": getattr(record.minutes, name) for name in MINUTES}
        for record in settled.records
    ]
    expected = [
        {"date": day["date"], "status": day["status"], "flags": sorted(day.get("flags", []))}
        | {f"{name}_min": day.get(f"{name}_min", 0) for name in MINUTES}
        for day in told["expect"]["days"]
    ]
    assert found == expected
    assert sum(punch.held is not None for punch in case.facts.punches) == told["expect"].get("quarantined", 0)
    adjustments = [
        {
            "date": entry.date.isoformat(),
            "posted_to": entry.posted_to,
            "status_from": entry.status_from,
            "status_to": entry.status_to,
            "delta": {f"{name}_min": minutes for name, minutes in entry.delta.items()},
        }
        for entry in settled.adjustments
    ]
    assert adjustments == told["expect"].get("adjustments", [])


@pytest.mark.parametrize(("name", "told"), [(told["id"], told) for told in TOLD if "period" in told])
def test_worked_example_of_a_period(name: str, told: dict[str, Any]) -> None:
    case = next(case for case in CASES if case.id == name)
    assert case.period is not None
    records = compute(case.facts, case.zone, case.policy)
    found = period_of(records, case.facts.calendar, case.policy, *case.period)
    expected = told["expect"]["period"]
    assert list(found.flags) == expected.get("flags", [])
    numbers = {name: minutes for name, minutes in expected.items() if name != "flags"}
    assert {name: getattr(found, name.removesuffix("_min")) for name in numbers} == numbers


def test_no_example_is_left_out() -> None:
    assert [case.id for case in CASES if case.id.startswith("A")] == [f"A{number:02}" for number in range(1, 67)]


def test_the_examples_are_those_of_the_rules(shared_files: Path) -> None:
    assert json.loads((shared_files / "domain/attendance_examples.json").read_text())["cases"] == EXAMPLES
