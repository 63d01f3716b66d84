"""``muster server keys``, and how saved replies are shown, as an operator types it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from server.cli import app, connectors


def run(*words: str) -> Result:
    return CliRunner().invoke(app, [*words], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An initialised server in the present folder."""
    monkeypatch.chdir(tmp_path)
    assert run("init").exit_code == 0
    return tmp_path


def status() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("keys", "status", "--json").stdout)
    return found


def test_keys_are_made_once(folder: Path) -> None:
    assert status() == []
    assert run("keys", "init").exit_code == 0
    path = folder / "secrets" / "master-keys"
    before = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("keys", "init").exit_code == 0
    assert path.read_text() == before
    assert [(row["purpose"], row["suite"], row["master"]) for row in status()] == [
        ("seal", "intl", "k1"),
        ("digest", "intl", "k1"),
    ]


def test_a_new_data_key_takes_the_suite_of_the_settings(folder: Path) -> None:
    run("keys", "init")
    with (folder / "server.toml").open("a") as file:
        file.write('[keys]\nsuite = "sm"\n')
    done = run("keys", "rotate")
    assert (done.exit_code, "data key 3" in done.stdout) == (0, True)
    assert [(row["suite"], row["retired"] is None) for row in status()] == [
        ("intl", False),
        ("intl", True),
        ("sm", True),
    ]


def test_a_new_master_key_wraps_the_data_keys(folder: Path) -> None:
    run("keys", "init")
    path = folder / "secrets" / "master-keys"
    assert run("keys", "rotate", "--master").exit_code == 0
    assert [line.split(":")[0] for line in path.read_text().splitlines()] == ["k1", "k2"]
    assert {row["master"] for row in status()} == {"k2"}
    path.write_text(path.read_text().splitlines()[1])
    assert run("keys", "rotate").exit_code == 0, "the old line is not needed any more"


def test_a_master_key_added_by_hand_is_taken_as_it_is(folder: Path) -> None:
    run("keys", "init")
    path = folder / "secrets" / "master-keys"
    by_hand = path.read_text() + "mine:" + "A" * 43 + "=\n"
    path.write_text(by_hand)
    assert run("keys", "rotate", "--master").exit_code == 0
    assert path.read_text() == by_hand, "a rotation broken off after its line goes on with it too"
    assert {row["master"] for row in status()} == {"mine"}


def test_what_is_missing_says_what_to_do(folder: Path) -> None:
    done = run("keys", "rotate")
    assert (done.exit_code, "muster server keys init" in done.output) == (2, True)
    with (folder / "server.toml").open("a") as file:
        file.write('[keys]\nmaster = "${env:MUSTER_TEST_NO_SUCH_KEY}"\n')
    done = run("keys", "init")
    assert (done.exit_code, "openssl rand -base64 32" in done.output) == (2, True)


def test_a_lost_master_key_is_not_replaced_by_one_that_opens_nothing(folder: Path) -> None:
    run("keys", "init")
    path = folder / "secrets" / "master-keys"
    path.rename(folder / "kept")
    done = run("keys", "init")
    assert (done.exit_code, "wrapped by k1" in done.output, path.exists()) == (2, True, False)
    (folder / "kept").rename(path)
    assert run("keys", "rotate").exit_code == 0


def test_a_master_key_may_come_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_TEST_KEY", "first:" + "A" * 43 + "=")
    with (folder / "server.toml").open("a") as file:
        file.write('[keys]\nmaster = "${env:MUSTER_TEST_KEY}"\n')
    assert run("keys", "init").exit_code == 0
    assert {row["master"] for row in status()} == {"first"}
    assert not (folder / "secrets").exists()


def test_a_master_key_that_others_may_read_is_refused(folder: Path) -> None:
    run("keys", "init")
    (folder / "secrets" / "master-keys").chmod(0o644)
    done = run("keys", "rotate")
    assert (done.exit_code, "chmod 600" in done.output) == (2, True)


def test_saved_replies_are_printed_without_pay_unless_it_is_asked_for(folder: Path) -> None:
    (folder / "oa.yaml").write_text(
        """
source: oa
kind: webhook
push: {secrets: ["${secret:oa}"]}
streams:
  - fact: labour_contract
    key: id
    map: {employee_key: person, starts_on: {path: from, as: date}, pay_minor: {path: pay, as: money_minor}}
"""
    )
    rows = [{"id": "1", "person": "p", "from": "2026-01-01", "pay": "8000"}]
    rows.append({**rows[0], "id": "2", "pay": "about 8000"})
    (folder / "reply.json").write_text(json.dumps(rows))
    words = ["map", "--source", "oa.yaml", "reply.json"]
    masked = CliRunner().invoke(connectors.app, words).stdout
    assert "8000" not in masked
    assert [row["fields"]["pay_minor"] for row in json.loads(masked)["rows"]] == ["***"]
    shown = json.loads(CliRunner().invoke(connectors.app, [*words, "--show-pay"]).stdout)
    assert [row["fields"]["pay_minor"] for row in shown["rows"]] == [800_000]
