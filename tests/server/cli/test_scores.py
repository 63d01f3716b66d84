"""``muster score``, as an operator types it."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import app, scores
from server.config import load_config
from server.services.keys import open_database
from tests.server.services.world import load


def run(*words: str) -> Result:
    return CliRunner().invoke(scores.app, [*words], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server in the present folder, with the people of the small company."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init"]).exit_code == 0

    async def people() -> None:
        db = open_database(load_config(Path("server.toml")))
        await load(db)
        await db.close()

    asyncio.run(people())
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_month_is_computed_and_explained() -> None:
    done = run("run", "--period", "2026-03", "--json")
    cards = {row["employee"]: row for row in json.loads(done.stdout)}
    assert set(cards) == {"e1", "e2"}
    explained = json.loads(run("explain", "e2", "--period", "2026-03", "--json").stdout)
    assert [(row["indicator"], row["weight_pct"], row["numerator"]) for row in explained] == [
        ("att_punctuality_rate", "100.0000", 0)
    ]


@pytest.mark.usefixtures("folder")
def test_who_has_no_score_is_told_how_to_get_one() -> None:
    done = run("explain", "e1", "--period", "2020-01")
    assert (done.exit_code, "muster score run --period 2020-01" in done.stderr) == (2, True)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "why"),
    [(("--period", "2026-13"), "expected 2026-11"), (("--period", "2026-03", "--department", "x"), "nobody")],
)
def test_a_period_or_department_that_is_not_there_is_refused(words: tuple[str, ...], why: str) -> None:
    done = run("run", *words)
    assert (done.exit_code, why in done.stderr) == (2, True)


def test_targets_come_from_a_file(folder: Path) -> None:
    file = folder / "targets.csv"
    file.write_text(
        "indicator,unit,starts,target\natt_punctuality_rate,ops,2026-01-01,90\nbiz_sales_amount,,2026-01-01,50000\n"
    )
    known = json.loads(run("targets", str(file), "--json").stdout)
    assert [(row["indicator"], row["unit"], row["target"]) for row in known] == [
        ("att_punctuality_rate", "ops", "90"),
        ("biz_sales_amount", "", "50000"),
    ]
    assert json.loads(run("targets", "--json").stdout) == known


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("no_such,,2026-01-01,5", "line 2: indicator: no indicator 'no_such'"),
        (
            "biz_sales_amount,,2026-01-01,5\nno_such,,2026-01-01,0",
            "line 3: indicator: no indicator 'no_such'; line 3: target",
        ),
        ("biz_sales_amount,,2026-13-01,5", "line 2"),
        ("biz_sales_amount,,2026-01-01,0", "above 0"),
        ("biz_sales_amount,nobody,2026-01-01,5", "no person or department 'nobody'"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_with_its_line(folder: Path, row: str, why: str) -> None:
    file = folder / "targets.csv"
    file.write_text(f"indicator,unit,starts,target\n{row}\n")
    done = run("targets", str(file))
    assert (done.exit_code, why in done.stderr) == (2, True)
    assert json.loads(run("targets", "--json").stdout) == []


GOOD = """
[[indicator]]
id = "late_tickets"
name_zh = "a"
name_en = "a"
unit = "%"
better = "down"
family = "ratio"
scale = "100"
good = ["first_reply_seconds > 60"]
source = "test"
starts = 2026-01-01
curve = { kind = "pts", points = [["0", "100"], ["10", "0"]] }
denominator = [{ fact = "ticket", date = "created_at" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("", "", "1 indicators, no faults"),
        ("first_reply_seconds", "first_answer", "no field 'first_answer'; there are"),
        ('"ticket"', '"tickets"', "no fact 'tickets'; there are"),
        ("created_at", "csat", "'csat' is no date"),
        ("> 60", ">> 60", "is no condition"),
        ('["10", "0"]', '["0", "0"]', "points in rising order"),
        ('"ratio"', '"mean"', "family mean needs numerator"),
        ('kind = "pts"', 'kind = "ratio"', "target other than 0"),
    ],
)
def test_a_definition_is_checked_with_field_and_reason(tmp_path: Path, old: str, new: str, why: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD.replace(old, new, 1) if old else GOOD)
    done = run("check", str(file))
    assert done.exit_code == (2 if old else 0)
    assert why in " ".join((done.stderr + done.stdout).split())


@pytest.mark.usefixtures("folder")
def test_a_full_run_is_compared_with_the_live_scores() -> None:
    run("run", "--period", "2026-03", "--json")
    done = run("verify", "--period", "2026-03", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    assert "2 scorecards compared on the lake, 0 differ" in done.stderr
    done = run("verify", "--period", "2026-03", "--no-lake")
    assert (done.exit_code, "compared on the database, 0 differ" in done.stderr) == (0, True)


def test_a_live_score_that_is_wrong_is_listed(folder: Path) -> None:
    run("run", "--period", "2026-03", "--json")
    with sqlite3.connect(folder / "muster.db") as database:
        database.execute("UPDATE scores SET sample = 77 WHERE employee = 'e2'")
    database.close()
    done = run("verify", "--period", "2026-03", "--json")
    assert done.exit_code == 1
    assert {row["employee"] for row in json.loads(done.stdout)} == {"e2"}
    assert "1 differ" in done.stderr


def test_the_lake_is_written_below_the_data_folder(folder: Path) -> None:
    run("verify", "--period", "2026-03", "--json")
    (again,) = json.loads(run("lake", "--json").stdout)
    assert (again["months"], again["rows"]) == (0, 0)
    assert (folder / "lake").is_dir()


@pytest.mark.usefixtures("folder")
def test_a_period_that_is_none_is_not_verified() -> None:
    done = run("verify", "--period", "2026-13")
    assert (done.exit_code, "expected 2026-11" in done.stderr) == (2, True)
