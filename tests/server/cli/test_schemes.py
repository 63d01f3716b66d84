"""``muster score what-if``, ``compare`` and ``indicators``, as an operator types them."""

import json
from pathlib import Path

import pytest

from tests.server.cli.test_scores import folder, run

__all__ = ["folder"]

DRAFT = """
[[set]]
id = "hq"
name_zh = "总部"
name_en = "HQ"
department = "hq"
source = "test"
starts = 2026-03-01
weights = { att_attendance_rate = 100 }
"""
DEFINITION = """
[[indicator]]
id = "att_days"
name_zh = "出勤天数"
name_en = "Days with a shift"
unit = "days"
better = "up"
family = "count"
target = "1"
curve = { kind = "ratio" }
source = "test"
starts = 2026-03-01
[[indicator.numerator]]
fact = "attendance_day"
date = "date"
"""


@pytest.mark.usefixtures("folder")
def test_what_if_prints_who_moves_and_writes_nothing() -> None:
    run("run", "--period", "2026-03", "--json")
    Path("draft.toml").write_text(DRAFT)
    done = run("what-if", "draft.toml", "--period", "2026-03", "--json")
    assert done.exit_code == 0, done.stderr
    assert {row["employee"]: row["simulated"] for row in json.loads(done.stdout)} == {"e1": "yes", "e2": "yes"}
    assert "2 of 2 people" in done.stderr
    explained = json.loads(run("explain", "e2", "--period", "2026-03", "--json").stdout)
    assert [row["indicator"] for row in explained] == ["att_punctuality_rate"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (DRAFT.replace("100", "99"), "add up to 99"),
        (DRAFT.replace("att_attendance_rate", "luck"), "no indicator luck"),
        (DRAFT.replace("starts", "begins"), "begins"),
        ("", "expected [[set]]"),
    ],
)
def test_a_draft_that_can_not_be_is_refused(text: str, why: str) -> None:
    Path("draft.toml").write_text(text)
    done = run("what-if", "draft.toml")
    assert (done.exit_code, why in done.stderr) == (2, True), done.stderr


@pytest.mark.usefixtures("folder")
def test_two_months_are_compared() -> None:
    for month in ("2026-03", "2026-04"):
        run("run", "--period", month, "--json")
    done = run("compare", "2026-03", "2026-04", "--json")
    rows = {row["indicator"]: row for row in json.loads(done.stdout)}
    assert (rows["total"]["people"], "2026-04-01 to 2026-04-30" in done.stderr) == (0, True)
    assert run("compare").exit_code == 2


@pytest.mark.usefixtures("folder")
def test_definitions_are_tried_and_handed_in_for_a_second_person() -> None:
    run("run", "--period", "2026-03", "--json")
    Path("own.toml").write_text(DEFINITION)
    tried = run("indicators", "own.toml", "--period", "2026-03", "--json")
    assert tried.exit_code == 0, tried.stderr
    values = {row["employee"]: row["value"] for row in json.loads(tried.stdout)}
    assert values["e2"] is None or values["e2"].startswith(("0", "1"))
    handed = run("indicators", "own.toml", "--period", "2026-03", "--submit")
    assert "draft 1 waits for a second person" in handed.stdout
    assert run("what-if", "1").exit_code == 0
    Path("bad.toml").write_text(DEFINITION.replace('fact = "attendance_day"', 'fact = "moon_day"'))
    bad = run("indicators", "bad.toml")
    assert (bad.exit_code, "moon_day" in bad.stderr) == (2, True)
