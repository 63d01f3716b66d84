"""The reference page says what the checks can find."""

import re
from pathlib import Path

from server.rosters.catalogue import CODES

PAGE = Path(__file__).parents[3] / "docs/reference/roster-checks.md"


def test_the_reference_lists_every_code_with_its_level_parameters_and_source() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| .+? \| (.*?) \| ?(.*?) ?\|$", PAGE.read_text(), re.MULTILINE)
    written = [(code, level, tuple(re.findall(r"`(\w+)`", params)), source) for code, level, params, source in rows]
    assert written == [(one.code, one.level, one.params, one.source) for one in CODES]
