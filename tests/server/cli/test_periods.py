"""``muster score close``, ``export`` and what surrounds them, as an operator types it."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import keys, periods
from server.cli.console import CONFIG, in_database
from server.services.simulating import Preview
from server.store import period_queries
from server.store.database import Database
from server.store.period_queries import PeriodAdjustment, SideRow
from tests.server.cli.test_schemes import DRAFT
from tests.server.cli.test_scores import folder

__all__ = ["folder"]
ACCEPT = [word for code in ("provisional", "sources_away", "unscored") for word in ("--accept", code)]


def run(*words: str) -> Result:
    return CliRunner().invoke(periods.app, [*words], env={"COLUMNS": "200"})


def logged() -> list[tuple[str, str, str]]:
    """Action, object and detail of what ``cli`` did, in order."""
    with closing(sqlite3.connect("muster.db")) as connection:
        wanted = "SELECT action, object, detail FROM operation_log WHERE actor = 'cli' ORDER BY id"
        return list(connection.execute(wanted))


@pytest.mark.usefixtures("folder")
def test_a_month_is_checked_closed_and_exported() -> None:
    run("run", "--period", "2026-03")
    done = run("calibrate", "e2", "2026-03", "2.5", "--reason", "stood in")
    assert "proposal 1" in done.stdout
    checked = run("close", "2026-03", "--check", "--json")
    counts = {row["item"]: row["count"] for row in json.loads(checked.stdout)}
    assert (counts["calibrations"], checked.exit_code) == (1, 1)
    refused = run("close", "2026-03", *ACCEPT)
    assert (refused.exit_code, "calibrations 1" in refused.stderr) == (2, True)
    assert run("close", "2026-02", *ACCEPT).exit_code == 0
    cards = json.loads(run("export", "2026-02", "--json").stdout)
    assert {row["employee"]: row["version"] for row in cards} == {"e1": 1, "e2": 1}
    assert run("export", "2026-02", "--out", "february.csv").exit_code == 0
    with Path("february.csv").open(encoding="utf-8-sig", newline="") as lines:
        paid = list(csv.DictReader(lines))
    assert {row["工号"]: row["应发合计"] for row in paid} == {"e1": "0.00", "e2": "0.00"}
    named = {row["employee"]: (row["position"], row["position_zh"], row["position_en"]) for row in cards}
    assert named["e1"] == ("courier", "配送员", "Courier")
    assert {row["工号"]: (row["岗位"], row["岗位名称"]) for row in paid}["e1"] == ("courier", "配送员")
    assert run("export", "2026-02", "--out", "february.xlsx").exit_code == 0
    assert Path("february.xlsx").read_bytes()[:2] == b"PK"
    assert json.loads(run("adjustments", "2026-03", "--json").stdout) == []
    exports = [json.loads(detail) for action, _, detail in logged() if action == "scores.export"]
    assert [one["format"] for one in exports] == ["text", "csv", "xlsx"]
    assert {(one["money"], one["department"]) for one in exports} == {(True, None)}


@pytest.mark.usefixtures("folder")
def test_sec24_whoever_prints_adjustments_or_rewards_of_a_preview_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an earlier month changes is worth 111.11 to e1; a preview is noted once somebody is paid."""
    assert CliRunner().invoke(keys.commands, ["init"]).exit_code == 0
    assert run("run", "--period", "2026-03").exit_code == 0
    in_database(CONFIG, _late)
    assert [row["money"] for row in json.loads(run("adjustments", "2026-03", "--json").stdout)] == ["111.11"]
    Path("draft.toml").write_text(DRAFT)
    for pays in (False, True):
        monkeypatch.setattr(Preview, "pays", pays)
        assert run("what-if", "draft.toml", "--period", "2026-03", "--json").exit_code == 0
    reads = [(action, about, json.loads(detail)) for action, about, detail in logged() if "read_" in action]
    assert reads == [
        ("scores.read_adjustments", "2026-03", {"whose": ["e1"]}),
        ("scores.read_preview", "2026-03", {"whose": ["e1", "e2"]}),
    ]


async def _late(db: Database) -> None:
    before, after = SideRow("90", 1, 1, 0), SideRow("95", 2, 2, 111_11)
    about = ("e1", "2026-02", "att_punctuality_rate", 0, "2026-03", "late_facts")
    row = PeriodAdjustment(*about, 1, 1, 1, None, before, after, 1, 111_11, 0)
    async with db.writing() as connection:
        await period_queries.replace_adjustments(connection, "e1", "2026-02", "2026-03", [row])


@pytest.mark.usefixtures("folder")
def test_rewards_are_set_from_a_day_on() -> None:
    unkeyed = run("reward-base", "biz_sales_amount", "1", "--position", "clerk", "--from", "2026-01-01")
    assert (unkeyed.exit_code, "keys init" in unkeyed.stderr) == (2, True)
    assert CliRunner().invoke(keys.commands, ["init"]).exit_code == 0
    steps = ("reward-tier", "biz_collection_rate", "--from", "2026-01-01", "--gate", "biz_gross_margin_rate")
    assert "base amount" in run(*steps).stderr, "a tier without one pays nobody"
    tier = run(*steps, "--base", "300000", "--employee", "e1")
    assert tier.exit_code == 0, tier.stderr
    base = run("reward-base", "biz_collection_rate", "500000", "--position", "clerk", "--from", "2026-01-01")
    assert base.exit_code == 0, base.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("export", "2026-03", "--out", "x.txt"), ".xlsx or .csv"),
        (("calibrate", "e2", "2026-03", "11", "--reason", "x"), "expected -1000 to 1000"),
        (("calibrate", "e2", "2026-03", "1.234", "--reason", "x"), "two decimals"),
        (("close", "2026-13"), "expected 2026-11"),
        (("reward-tier", "log_damage_rate", "--from", "2026-01-01"), "more is better"),
        (
            ("reward-tier", "biz_sales_amount", "--from", "2026-01-01", "--gate", "biz_new_customers"),
            "gate biz_new_customers: it has no target on 2026-01-01; set one first (muster score targets)",
        ),
        (
            ("reward-tier", "biz_sales_amount", "--from", "2026-01-01", "--base", "1"),
            "one of --employee and --position",
        ),
        (("reward-base", "biz_sales_amount", "1", "--from", "2026-01-01"), "one of --employee and --position"),
        (("reward-base", "biz_sales_amount", "1", "--from", "x", "--employee", "e1"), "2026-01-31"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(words: tuple[str, ...], why: str) -> None:
    done = run(*words)
    assert (done.exit_code, why in done.stderr) == (2, True), done.stderr
