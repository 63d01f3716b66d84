"""docs/reference/attendance-rules.md says what the engine does."""

import dataclasses
import re
from pathlib import Path

from server.attendance import day
from server.attendance.policy import DEFAULT
from server.attendance.record import RULE_VERSION

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/attendance-rules.md").read_text(encoding="utf-8")


def test_every_setting_is_listed_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|$", PAGE, re.MULTILINE))
    settings = {**dataclasses.asdict(DEFAULT), **dataclasses.asdict(DEFAULT.clock)}
    assert listed == {name: str(value) for name, value in settings.items() if name != "clock"}


def test_every_rule_that_a_record_can_name_is_described() -> None:
    described = set(re.findall(r"^\| (AR-\d+) \|", PAGE, re.MULTILINE))
    named = set(re.findall(r'"(AR-\d+)"', Path(str(day.__file__)).read_text(encoding="utf-8")))
    assert named <= described
    assert f"`{RULE_VERSION}`" in PAGE
