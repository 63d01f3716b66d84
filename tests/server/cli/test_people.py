"""People from a shell: listed, checked, brought in."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import app

COMPANY = {
    "departments": [{"id": "ops", "name_zh": "运营部", "name_en": "Operations"}],
    "sites": [{"id": "d3", "name_zh": "三号站", "name_en": "Depot 3", "zone": "Asia/Shanghai"}],
    "employees": [
        {
            "id": "e7",
            "name": "王芳",
            "department": "ops",
            "site": "d3",
            "position": "courier",
            "joined_on": "2026-01-05",
        }
    ],
    "contracts": [{"employee": "e7", "from_on": "2026-01-05", "kind": "open_ended", "work_system": "untimed"}],
}
TABLE = "工号,姓名,归属,岗位,入职日期\ne8,李雷,运营部,courier,2026/3/2\ne9,赵敏,运营部,courier,昨天\n"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, [*words], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server with one employee in the present folder, and a table of two more."""
    monkeypatch.chdir(tmp_path)
    assert run("init").exit_code == 0
    (tmp_path / "company.json").write_text(json.dumps(COMPANY))
    (tmp_path / "people.csv").write_text(TABLE)
    assert run("company", "load", "company.json").exit_code == 0
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_table_is_checked_then_brought_in_and_listed() -> None:
    words = ("people", "import", "people.csv", "--map", "department=归属")
    checked = run(*words)
    assert checked.exit_code == 0
    assert "bad_date" in checked.output
    assert "1 new, 0 changed, 0 the same: would be written" in checked.output
    refused = run(*words, "--apply")
    assert refused.exit_code == 2
    assert "nothing was written" in refused.output
    assert "1 new, 0 changed, 0 the same: written" in run(*words, "--apply", "--skip-bad-rows").output
    listed = json.loads(run("people", "list", "--department", "ops", "--json").stdout)
    assert [row["id"] for row in listed] == ["e8", "e7"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("mapping", ["department", "=归属"])
def test_a_mapping_without_a_heading_is_refused(mapping: str) -> None:
    told = run("people", "import", "people.csv", "--map", mapping)
    assert told.exit_code == 2 or "unknown_field" in told.output
