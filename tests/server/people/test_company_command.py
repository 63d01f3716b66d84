"""``muster server company`` as an administrator types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import app
from server.cli.company import EXAMPLE
from server.people.company_file import ROWS, read_company
from server.store import migrate


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a migrated SQLite installation."""
    migrate.upgrade(f"sqlite:///{tmp_path / 'muster.db'}")
    path = tmp_path / "server.toml"
    path.write_text("")
    return path


def company(config: Path, *words: str) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(app, ["company", *words, "--config", str(config)])


def write(folder: Path, content: object) -> str:
    """A company file."""
    path = folder / "company.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


SITE = {"id": "d1", "name_zh": "一号站", "name_en": "Depot 1", "zone": "Asia/Shanghai"}


def test_loading_says_what_became_of_each_section(config: Path) -> None:
    path = write(config.parent, {"sites": [SITE]})
    first = company(config, "load", path, "--json")
    assert first.exit_code == 0, first.output
    assert {"section": "sites", "added": 1, "changed": 0, "same": 0} in json.loads(first.output)
    again = company(config, "load", path, "--json")
    assert {"section": "sites", "added": 0, "changed": 0, "same": 1} in json.loads(again.output)


def test_a_dry_run_loads_nothing(config: Path) -> None:
    path = write(config.parent, {"sites": [SITE]})
    assert "would be computed" in company(config, "load", path, "--dry-run").output
    shown = json.loads(company(config, "show", "--json").output)
    assert {"section": "sites", "rows": 0, "dates": None} in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sites": [SITE, {**SITE, "id": "d2", "zone": "Mars/Base"}]}, "sites[1].zone: 'Mars/Base' is no IANA zone"),
        ([], "expected an object of lists"),
    ],
)
def test_a_row_that_does_not_fit_is_named_with_exit_code_2(config: Path, content: object, message: str) -> None:
    result = company(config, "load", write(config.parent, content))
    assert result.exit_code == 2
    assert message in result.output


def test_a_missing_file_is_exit_code_2(config: Path) -> None:
    result = company(config, "load", str(config.parent / "nothing.json"))
    assert result.exit_code == 2
    assert "can not be read" in result.output


def test_the_help_names_every_section_and_its_example_loads() -> None:
    shown = CliRunner().invoke(app, ["company", "load", "--help"], env={"COLUMNS": "120"}).output
    assert all(f'"{section}"' in shown for section in ROWS)
    read = read_company(EXAMPLE.removeprefix("\b\n").encode())
    assert all(getattr(read, section) for section in ROWS)
