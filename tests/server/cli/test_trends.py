"""``muster score trends``, ``forecast`` and ``correlate``, as an operator types them."""

import asyncio
import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.analytics import extra
from server.cli import app, scores
from server.config import load_config
from server.services.keys import open_database
from shared.clock import system_clocks
from tests.server.services.test_attributes import put
from tests.server.services.world import SHANGHAI, load

WEEKS = 20
REPLY = [31, 45, 28, 52, 37, 60, 24, 48, 55, 33, 41, 29, 58, 36, 50, 27, 44, 62, 30, 39]
CHOSEN = ("--indicator", "cs_first_response_seconds", "--indicator", "cs_avg_handle_time")
"""Of the last twenty weeks, each with one ticket; the handling takes as many minutes as the reply seconds."""


def run(*words: str) -> Result:
    return CliRunner().invoke(scores.app, [*words], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server in the present folder, with tickets that are nobody's: the company's alone."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init"]).exit_code == 0
    now = dt.datetime.fromtimestamp(system_clocks().wall_ms() / 1000, SHANGHAI)
    monday = (now - dt.timedelta(days=now.weekday())).replace(hour=10, minute=0, second=0, microsecond=0)

    async def tickets() -> None:
        db = open_database(load_config(Path("server.toml")))
        await load(db)
        rows = []
        for week, number in enumerate(REPLY):
            at = monday - dt.timedelta(days=7 * (WEEKS - week) - 1)
            times = {"created_at": at, "solved_at": at, "first_solved_at": at, "status": "solved"}
            measures = {"first_reply_business_seconds": number, "handle_seconds": 60 * number}
            rows.append({"source_key": str(week), **times, **measures})
        await put(db, "ticket", *rows)
        await db.close()

    asyncio.run(tickets())
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_an_indicator_is_printed_week_by_week() -> None:
    done = run("trends", "--steps", str(WEEKS), *CHOSEN[:2], "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["value"] for row in rows] == [f"{number}.0" for number in REPLY]
    assert {row["sample"] for row in rows} == {1}
    before = run("trends", "--steps", "3", "--to", rows[-3]["last"], *CHOSEN[:2], "--json")
    assert [row["first"] for row in json.loads(before.stdout)] == [row["first"] for row in rows[-5:-2]]
    refused = run("trends", "--to", "31.1.2026", *CHOSEN[:2])
    assert (refused.exit_code, "2026-01-31" in refused.stderr) == (2, True)


@pytest.mark.usefixtures("folder")
def test_ks18_a_forecast_has_interval_and_sample_size() -> None:
    rows = json.loads(run("forecast", "--steps", str(WEEKS), *CHOSEN[:2], "--json").stdout)
    assert len(rows) == 4
    assert {row["n"] for row in rows} == {WEEKS}
    assert all(float(row["low"]) < float(row["value"]) < float(row["high"]) for row in rows)


@pytest.mark.usefixtures("folder")
def test_ks18_pairs_have_r_n_and_p_and_the_word_moves() -> None:
    [row] = json.loads(run("correlate", "--steps", str(WEEKS), *CHOSEN, "--json").stdout)
    assert (row["one"], row["other"], row["lag"], row["r"], row["n"], row["state"]) == (
        CHOSEN[1],
        CHOSEN[3],
        0,
        "1.00",
        WEEKS - 1,
        "moves",
    )
    assert float(row["p"]) < 0.001


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--department", "nobodys"), "not in scope"),
        (("--department", "ops", "--employee", "e1"), "name one of"),
        (("--indicator", "nobodys"), "no company has it"),
        (("--grain", "day", "--steps", "500"), "expected 1 to 92"),
    ],
)
def test_what_is_not_there_is_refused(words: tuple[str, ...], why: str) -> None:
    done = run("trends", *words)
    assert done.exit_code in (1, 2)
    assert why in done.stderr


@pytest.mark.usefixtures("folder")
def test_without_the_libraries_it_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    for command in ("forecast", "correlate"):
        done = run(command, *CHOSEN)
        assert (done.exit_code, "pip install 'muster[analytics]'" in done.stderr) == (2, True)
