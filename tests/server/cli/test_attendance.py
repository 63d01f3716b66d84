"""``muster attendance compute`` on good, differing and bad files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from server.cli.attendance import app
from shared.errors import ConfigError, DataError

EXAMPLES = Path(__file__).parents[1] / "attendance/attendance_examples.json"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["compute", *words], catch_exceptions=True)


def case(**fields: Any) -> dict[str, Any]:
    """Example A03, one minute late, with these fields instead."""
    told: dict[str, Any] = next(
        case for case in json.loads(EXAMPLES.read_text(encoding="utf-8"))["cases"] if case["id"] == "A03"
    )
    return told | fields


def written(folder: Path, *cases: object) -> str:
    file = folder / "cases.json"
    file.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return str(file)


def test_every_worked_example_checks() -> None:
    done = run("--cases", str(EXAMPLES), "--check")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 66)
    assert done.stderr == "66 cases, 0 with differences\n"


def test_a_result_says_what_came_of_the_case(tmp_path: Path) -> None:
    done = run("--cases", written(tmp_path, case(period={"from": "2026-03-02", "to": "2026-03-08"})))
    result = json.loads(done.stdout)
    assert set(result) == {"id", "days", "adjustments", "quarantined", "period"}
    (day,) = result["days"]
    assert (day["date"], day["status"], day["late_min"], day["worked_min"]) == ("2026-03-02", "late", 1, 479)
    assert (day["first"], day["explain"]["used"]) == ("2026-03-02T09:01:00+08:00", [0, 1])
    assert result["period"]["standard_min"] == 2400


def test_a_bare_list_of_cases_will_do(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([case()]), encoding="utf-8")
    assert run("--cases", str(file), "--check").exit_code == 0


def test_a_difference_is_shown_and_exits_with_1(tmp_path: Path) -> None:
    expected = {"days": [{"date": "2026-03-02", "status": "late", "required_min": 480, "worked_min": 478}]}
    file = written(tmp_path, case(), case(id="B", expect=expected))
    done = run("--cases", file, "--check")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "B: days[0].worked_min: expected 478, found 479",
        "B: days[0].late_min: expected 0, found 1",
        "2 cases, 1 with differences",
    ]
    assert run("--cases", file).exit_code == 0, "nobody asked for a check"


def test_a_missing_record_is_a_difference(tmp_path: Path) -> None:
    done = run("--cases", written(tmp_path, case(shifts=[], punches=[])), "--check")
    assert (done.exit_code, done.stderr.startswith("A03: days: expected [{")) == (1, True)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (case(tz="Asia/Nowhere"), "case A03: tz: "),
        (case(tz="../../etc"), "case A03: tz: "),
        (case(policy={"late_grace": 5}), "case A03: policy.late_grace: "),
        (case(policy={"late_grace_min": "5"}), "case A03: policy.late_grace_min: "),
        (case(policy={"dedup_s": -1}), "case A03: policy.dedup_s: "),
        (case(policy={"pairing": "zigzag"}), "case A03: policy.pairing: "),
        (case(policy={"restday_breaks": [["12:00", "25:00"]]}), "case A03: policy.restday_breaks"),
        (case(policy={"drift_tol_s": 1.5}), "case A03: policy.drift_tol_s: "),
        (case(punches=["2026-03-02T25:00:00"]), "case A03: punches[0]: "),
        (case(punches=["2026-03-02T09:00:00", {"t": "yesterday"}]), "case A03: punches[1].t: "),
        (case(punches=[{"dev": "A"}]), "case A03: punches[0].t: "),
        (case(shifts=[{"date": "2026-03-02", "start": "9:00", "end": "18:00"}]), "case A03: shifts[0].start: "),
        (case(shifts=[{"date": "2026-02-30", "start": "09:00", "end": "18:00"}]), "case A03: shifts[0].date: "),
        (case(leaves=[{"type": "sick", "from": "2026-03-02T09:00:00"}]), "case A03: leaves[0].to: "),
        (case(ot=[{"from": "2026-03-02T19:00:00", "to": "2026-03-02T18:00:00"}]), "case A03: ot[0].to: "),
        (case(calendar={"2026-13-01": "statutory"}), "case A03: calendar.2026-13-01: "),
        (case(calendar={"2026-10-01": "holiday"}), "case A03: calendar"),
        (case(closed=[{"month": "2026-2", "at": "2026-03-05T00:00:00"}]), "case A03: closed[0].month: "),
        (case(period={"from": "2026-03-08", "to": "2026-03-02"}), "case A03: period.to: "),
        (case(surprise=1), "case A03: surprise: "),
        ({"title_en": "no id"}, "case number 1: id: "),
        ("text", "case number 1: "),
    ],
)
def test_a_bad_case_is_named_with_its_field(tmp_path: Path, bad: object, told: str) -> None:
    done = run("--cases", written(tmp_path, bad))
    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith(told)
    assert done.stdout == ""


def test_nothing_is_computed_when_one_case_can_not_be_checked(tmp_path: Path) -> None:
    done = run("--cases", written(tmp_path, case(), case(id="B", expect=None)), "--check")
    assert (str(done.exception).startswith("case B: expect: "), done.stdout) == (True, "")


def test_two_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    assert str(run("--cases", written(tmp_path, case(), case())).exception).startswith("case A03: id: ")


@pytest.mark.parametrize("text", ["", "{", '{"cases": 5}', '{"other": []}', "\ufeff[]"])
def test_what_is_no_file_of_cases_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text, encoding="utf-8")
    assert isinstance(run("--cases", str(file)).exception, DataError)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = run("--cases", str(tmp_path / "none.json"))
    assert isinstance(done.exception, ConfigError)
    assert "none.json" in str(done.exception)


def test_as_a_command_a_bad_file_exits_with_2(tmp_path: Path) -> None:
    muster = Path(sys.executable).parent / "muster"
    file = written(tmp_path, case(tz="Mars"))
    words = [str(muster), "attendance", "compute", "--cases", file]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("muster: case A03: tz: ")
