"""The server's commands, as an operator types them."""

import asyncio
import json
import os
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from server.cli import app
from server.config import load_config
from server.services.passwords import Passwords
from server.store import migrate


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*words], input=typed, env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An initialised server in the present folder."""
    monkeypatch.chdir(tmp_path)
    assert run("init").exit_code == 0
    return tmp_path


def rows(folder: Path, query: str) -> list[Any]:
    with sqlite3.connect(folder / "muster.db") as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def signs_in(folder: Path, login: str, password: str) -> bool:
    stored = dict(rows(folder, "SELECT login, password_hash FROM users"))
    right, _ = asyncio.run(Passwords().check(password, str(stored[login])))
    return right


# --- init -----------------------------------------------------------------------------------------------------------


def test_init_makes_a_server_that_can_run(tmp_path: Path) -> None:
    settings = tmp_path / "new/server.toml"
    done = run("init", "--config", str(settings), "--json")
    made = json.loads(done.stdout)
    config = load_config(settings)
    assert (config.broker.embedded, config.http.port, config.site.zone) == (True, 8400, "Asia/Shanghai")
    assert migrate.is_current(config.database.url)
    assert made["login"] == "admin"
    assert signs_in(settings.parent, "admin", made["password"])
    assert rows(settings.parent, "SELECT login, role FROM users") == [("admin", "administrator")]


def test_sec34_secrets_of_a_new_server_are_for_its_owner_only(folder: Path) -> None:
    for name in ("server.toml", "broker-passwords", "muster.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    line = (folder / "broker-passwords").read_text()
    assert re.fullmatch(r"server-1:\S{20,}\n", line)


def test_init_again_keeps_what_is_there(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("muster.db")}
    done = run("init", "--http-port", "9999")
    assert (done.exit_code, "administrator already" in done.stdout) == (0, True)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert len(rows(folder, "SELECT * FROM users")) == 1


def test_init_with_services_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--broker", "mqtt.example:8883", "--zone", "Asia/Tokyo", "--http-port", "8500", "--login", "Chen")
    assert run("init", *words).exit_code == 0
    config = load_config(tmp_path / "server.toml")
    assert (config.broker.host, config.broker.port, config.broker.embedded) == ("mqtt.example", 8883, False)
    assert (config.site.zone, config.http.port) == ("Asia/Tokyo", 8500)
    assert rows(tmp_path, "SELECT login FROM users") == [("chen",)]


@pytest.mark.parametrize("words", [("--zone", "Mars/Base"), ("--broker", "nowhere"), ("--database", "mysql://x/y")])
def test_init_with_bad_settings_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("init", *words)
    assert (done.exit_code, "error:" in done.stderr) == (2, True)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


# --- users ----------------------------------------------------------------------------------------------------------


def test_a_user_is_added_with_a_made_password(folder: Path) -> None:
    done = run("users", "add", "Wang.Fang", "--role", "hr", "--name", "王芳", "--generate", "--json")
    made = json.loads(done.stdout)
    assert (done.exit_code, made["login"]) == (0, "wang.fang")
    assert signs_in(folder, "wang.fang", made["password"])
    listed = json.loads(run("users", "list", "--json").stdout)
    assert [(user["login"], user["name"], user["role"]) for user in listed][1] == ("wang.fang", "王芳", "hr")


def test_a_password_comes_from_stdin_and_is_never_shown(folder: Path) -> None:
    done = run("users", "add", "li", "--role", "it", "--stdin", typed="a phrase of my own\n")
    assert (done.exit_code, "a phrase" in done.stdout) == (0, False)
    assert signs_in(folder, "li", "a phrase of my own")


@pytest.mark.parametrize(
    ("words", "typed", "reason"),
    [
        (("li", "--role", "boss", "--generate"), "", "administrator, hr, manager"),
        (("li", "--role", "hr", "--stdin"), "password1\n", "choose another"),
        (("li", "--role", "hr", "--stdin"), "short\n", "8 to 128"),
        (("li", "--role", "hr"), "", "--stdin or --generate"),
        (("admin", "--role", "hr", "--generate"), "", "there already"),
        (("li", "--role", "employee", "--generate"), "", "needs an employee"),
        (("li", "--role", "employee", "--employee", "e9", "--generate"), "", "does not exist"),
        (("li", "--role", "manager", "--department", "ops", "--generate"), "", "department ops does not exist"),
    ],
)
def test_a_user_that_does_not_fit_is_refused(folder: Path, words: tuple[str, ...], typed: str, reason: str) -> None:
    done = run("users", "add", *words, typed=typed)
    assert (done.exit_code, reason in done.stderr) == (2, True), done.stderr
    assert len(rows(folder, "SELECT * FROM users")) == 1


def test_accounts_are_closed_opened_and_given_new_passwords(folder: Path) -> None:
    run("users", "add", "li", "--role", "it", "--generate")
    session = "INSERT INTO sessions SELECT x'{:064x}', id, 4102444800000, 4102444800000, '10.0.0.1' FROM users"
    for number, words in enumerate((("disable",), ("password", "--generate"), ("sessions", "--kill"))):
        with sqlite3.connect(folder / "muster.db") as connection:
            connection.execute(session.format(number) + " WHERE login = 'li'")
        connection.close()
        assert run("users", words[0], "li", *words[1:]).exit_code == 0
        assert rows(folder, "SELECT * FROM sessions") == [], words
    assert rows(folder, "SELECT disabled FROM users WHERE login = 'li'") == [(1,)]
    assert run("users", "enable", "LI").exit_code == 0
    assert rows(folder, "SELECT disabled FROM users WHERE login = 'li'") == [(0,)]
    logged = [action for (action,) in rows(folder, "SELECT action FROM operation_log ORDER BY id")]
    assert logged[-5:] == ["user.add", "user.disable", "user.password", "user.end_sessions", "user.enable"]


def test_the_log_of_the_commands_holds_no_password(folder: Path) -> None:
    run("users", "add", "li", "--role", "it", "--stdin", typed="a phrase of my own\n")
    assert "a phrase" not in repr(rows(folder, "SELECT * FROM operation_log"))


@pytest.mark.parametrize("command", ["disable", "enable", "sessions"])
def test_an_unknown_user_is_bad_input(folder: Path, command: str) -> None:
    done = run("users", command, "nobody")
    assert (done.exit_code, "users list" in done.stderr) == (2, True)


# --- all commands ---------------------------------------------------------------------------------------------------


def commands(command: Any, *path: str) -> list[tuple[str, Any]]:
    """Every command below, by its words; typer brings a click of its own, so that its classes have no name here."""
    if hasattr(command, "commands"):
        return [found for name, child in command.commands.items() for found in commands(child, *path, name)]
    return [(" ".join(path), command)]


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_how_it_is_typed(name: str) -> None:
    assert f"muster server {name}" in (COMMANDS[name].help or ""), "give an example"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_a_password_as_an_argument(name: str) -> None:
    taken = {parameter.name for parameter in COMMANDS[name].params if not getattr(parameter, "is_flag", False)}
    assert not {word for word in taken if word and "password" in word and word != "password_file"}


def test_the_openapi_document_names_every_page_of_the_contract() -> None:
    document = json.loads(run("openapi").stdout)
    assert set(document["paths"]) >= {
        "/api/login",
        "/api/logout",
        "/api/me",
        "/api/today",
        "/api/days/{employee}/{date}",
        "/api/scores/{employee}",
        "/api/scores/{employee}/{period}/{indicator}/sources",
        "/api/devices",
        "/api/employees",
        "/api/unmatched",
        "/api/unmatched/assign",
        "/api/quarantine",
        "/api/operations",
        "/health",
        "/live",
    }


def test_nothing_leaves_an_empty_quarantine(folder: Path) -> None:
    done = run("quarantine", "release")
    assert (done.exit_code, done.stdout) == (0, "0 events released\n")
    done = run("quarantine", "dismiss", "1", "2")
    assert (done.exit_code, done.stdout) == (0, "0 rows dismissed\n")
    assert run("quarantine", "dismiss").exit_code == 2


# --- attendance -----------------------------------------------------------------------------------------------------


def test_attendance_is_computed_again_and_says_how_much_changed(folder: Path) -> None:
    company = {
        "departments": [{"id": "ops", "name_zh": "o", "name_en": "o"}],
        "sites": [{"id": "d3", "name_zh": "d", "name_en": "d", "zone": "Asia/Shanghai"}],
        "shifts": [{"id": "day", "name_zh": "d", "name_en": "d", "start": "09:00", "end": "18:00"}],
        "employees": [
            {"id": "e7", "name": "Wang", "department": "ops", "site": "d3", "position": "x", "joined_on": "2026-01-05"}
        ],
        "roster": [{"employee": "e7", "date": "2026-03-02", "shift": "day"}],
    }
    Path("company.json").write_text(json.dumps(company), encoding="utf-8")
    assert run("company", "load", "company.json").exit_code == 0
    words = ("attendance", "recompute", "--from", "2026-03-01", "--to", "2026-03-05", "--json")
    assert json.loads(run(*words).stdout) == [{"people": 1, "days": 5, "changed": 1}]
    assert rows(folder, "SELECT status FROM attendance_days") == [("absent",)]
    assert json.loads(run(*words).stdout) == [{"people": 1, "days": 5, "changed": 0}], "it says the same as before"
    assert run(*words, "--employee", "ghost").exit_code == 1
    assert run("attendance", "recompute", "--from", "2026-03-05", "--to", "2026-03-01").exit_code == 2


def test_months_are_listed_and_a_checklist_says_what_is_left(folder: Path) -> None:
    assert json.loads(run("attendance", "months", "--json").stdout) == []
    checked = run("attendance", "close", "2026-03", "--check", "--json")
    assert checked.exit_code == 0, checked.output
    items = {item["item"]: (item["count"], item["kind"]) for item in json.loads(checked.stdout)}
    assert items["pending"] == (0, "blocking")
    assert items["unconfirmed"] == (0, "notice")
    refused = run("attendance", "close", "2026-03")
    assert refused.exit_code == 2
    assert "no records" in refused.stderr
    assert run("attendance", "close", "march", "--check").exit_code == 2
