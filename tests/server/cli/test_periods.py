"""``muster score close``, ``export`` and what surrounds them, as an operator types it."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import keys, periods
from tests.server.cli.test_scores import folder

__all__ = ["folder"]
ACCEPT = [word for code in ("provisional", "sources_away", "unscored") for word in ("--accept", code)]


def run(*words: str) -> Result:
    return CliRunner().invoke(periods.app, [*words], env={"COLUMNS": "200"})


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
