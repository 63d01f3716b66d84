"""docs/reference/attendance-rules.md says what the engine does."""

import dataclasses
import re
from pathlib import Path

from msgspec import structs

import server.attendance
from server.attendance.cases import CaseFile, LeaveCase, OvertimeCase, PunchCase
from server.attendance.policy import DEFAULT
from server.attendance.record import RULE_VERSION

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/attendance-rules.md").read_text(encoding="utf-8")
ENGINE = Path(str(server.attendance.__file__)).parent


def _written(value: object) -> str:
    """A default as the page writes it."""
    if isinstance(value, bool | None):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return ",".join("-".join(pair) for pair in value)
    return str(value)


def test_every_setting_is_listed_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|$", PAGE, re.MULTILINE))
    settings = {**dataclasses.asdict(DEFAULT), **dataclasses.asdict(DEFAULT.clock)}
    assert listed == {name: _written(value) for name, value in settings.items() if name != "clock"}


def test_every_rule_is_described() -> None:
    described = re.findall(r"^\| (AR-\d+) \|", PAGE, re.MULTILINE)
    assert sorted(described) == sorted(f"AR-{number}" for number in range(1, 42))
    assert f"`{RULE_VERSION}`" in PAGE


def test_every_rule_that_a_record_can_name_is_described() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ENGINE.glob("*.py"))
    named = set(re.findall(r'"(AR-\d+)"', code))
    assert named <= set(re.findall(r"^\| (AR-\d+) \|", PAGE, re.MULTILINE))
    assert len(named) > 20


def test_every_field_of_a_case_is_described() -> None:
    fields = {
        f.encode_name for struct in (CaseFile, PunchCase, LeaveCase, OvertimeCase) for f in structs.fields(struct)
    }
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()
