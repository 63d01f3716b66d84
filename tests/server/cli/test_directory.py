"""People at terminals as an operator types it, with a gateway that answers by hand."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.cli.console import now_ms
from server.ingest import orders
from server.store.database import Database
from shared.wire import ChangeResult, DirectoryUser, Result
from tests.server.cli.test_commands import run

DOOR = "SN1"
COMPANY = {
    "departments": [{"id": "ops", "name_zh": "运营", "name_en": "Operations"}],
    "employees": [
        {"id": "e7", "name": "Li Na", "department": "ops", "site": "d1", "position": "p", "joined_on": "2026-01-05"}
    ],
    "terminal_users": [{"user_group": "d1", "user_code": "7", "employee": "e7"}],
}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server with one gateway and its terminal, in the present folder; the gateway's id."""
    monkeypatch.chdir(tmp_path)
    assert run("init").exit_code == 0
    assert run("sites", "add", "d1", "--name-zh", "一号站", "--name-en", "Depot 1").exit_code == 0
    made = json.loads(run("gateways", "add", "Depot 1", "--site", "d1", "--json").stdout)
    assert run("terminals", "assign", DOOR, made["id"], "--name", "Front door").exit_code == 0
    (tmp_path / "company.json").write_text(json.dumps(COMPANY))
    assert run("company", "load", "company.json").exit_code == 0
    return str(made["id"])


@contextmanager
def answering(gateway: str, *people: DirectoryUser) -> Iterator[None]:
    """A gateway whose terminal holds these people and takes whatever comes."""
    held = {user.number: user for user in people}
    stop = threading.Event()

    async def answer() -> None:
        db = Database("sqlite:///muster.db")
        while not stop.is_set():
            for _, command in await orders.due(db, now_ms()):
                held.update((change.user.number, change.user) for change in command.changes)
                changes = [ChangeResult(number=change.user.number, outcome="done") for change in command.changes]
                result = Result(
                    id=command.id, terminal=DOOR, at=1, outcome="done", changes=changes, users=list(held.values())
                )
                await orders.keep_result(db, gateway, result, now_ms())
            await asyncio.sleep(0.02)
        await db.close()

    thread = threading.Thread(target=lambda: asyncio.run(answer()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_difference_is_shown_asked_about_and_written(gateway: str) -> None:
    with answering(gateway, DirectoryUser(number="7", name="Li"), DirectoryUser(number="99", name="Visitor")):
        listed = json.loads(run("directory", "list", "Front door", "--json").stdout)
        assert [(row["number"], row["name"]) for row in listed] == [("7", "Li"), ("99", "Visitor")]
        shown = run("directory", "diff", "--group", "d1")
        assert "rename" in shown.stdout
        assert "1 numbers there are nobody's here and stay as they are" in " ".join(shown.stdout.split())
        refused = run("directory", "apply", "--terminal", DOOR, typed="n\n")
        assert (refused.exit_code, "Write 1 people at 1 terminals?" in refused.stdout) == (1, True)
        assert "written" not in run("directory", "status").stdout, "nothing was sent"
        done = run("directory", "apply", "--terminal", DOOR, typed="y\n")
        assert (done.exit_code, "1 of 1 written" in done.stdout) == (0, True)
        assert json.loads(run("directory", "diff", "--terminal", DOOR, "--json").stdout) == []
        assert json.loads(run("directory", "apply", "--terminal", DOOR, "--json").stdout) == []
    operations = [row["result"] for row in json.loads(run("directory", "status", "--json").stdout)]
    assert operations.count("1 of 1 written") == 1


def test_json_writes_only_with_yes(gateway: str) -> None:
    with answering(gateway):
        refused = run("directory", "apply", "--terminal", DOOR, "--json")
        assert (refused.exit_code, "--yes" in refused.output) == (2, True)
        (done,) = json.loads(run("directory", "apply", "--terminal", DOOR, "--json", "--yes").stdout)
        assert (done["outcome"], done["people"], done["by"]) == ("done", 1, "cli")


def test_a_terminal_that_does_not_answer_is_said_in_words(gateway: str) -> None:
    begin = time.monotonic()
    shown = run("directory", "diff", "--terminal", DOOR, "--wait", "0")
    assert "waits for its gateway" in shown.stdout
    assert "nobody knows yet who is enrolled" in shown.stdout
    assert run("directory", "list", DOOR, "--wait", "0").exit_code == 1
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("words", [("--terminal", "SN9"), ("--group", "x"), (), ("--terminal", DOOR, "--group", "d1")])
def test_what_is_not_there_is_bad_input(gateway: str, words: tuple[str, ...]) -> None:
    done = run("directory", "diff", *words)
    assert (done.exit_code, "error:" in done.output) == (2, True)
