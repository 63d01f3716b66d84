"""What the person at the depot types and reads: init, check, status; exit codes 0 done, 1 failed, 2 bad input."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import load_config
from gateway.health.report import save
from gateway.profile import load_profile
from shared.clock import system_clocks
from shared.wire import Health, TerminalHealth
from tests.support.loopback import free_port

ID = "gw-0123456789"
runner = CliRunner()


def settings(folder: Path, more: str = "", mode: int = 0o600) -> Path:
    (folder / "secret").write_text("password\n")
    (folder / "secret").chmod(mode)
    path = folder / "gateway.toml"
    path.write_text(
        f'id = "{ID}"\ndata = "data"\nzone = "Asia/Shanghai"\n'
        f'[broker]\nport = {free_port()}\npassword_file = "secret"\n{more}'
    )
    return path


def init(path: Path, *words: str, typed: str = "secret\n") -> tuple[int, str]:
    words = words or ("--id", ID, "--broker", "mqtt.example:8883")
    done = runner.invoke(app, ["init", *words, "--password-stdin", "--config", str(path)], input=typed)
    return done.exit_code, done.output


def check(path: Path) -> tuple[int, str]:
    done = runner.invoke(app, ["check", "--config", str(path)])
    return done.exit_code, done.output


def test_init_writes_settings_that_load_and_a_password_that_only_its_owner_reads(tmp_path: Path) -> None:
    code, output = init(tmp_path / "gateway.toml")
    assert code == 0, output
    config = load_config(tmp_path / "gateway.toml")
    assert (config.id, config.broker.host, config.broker.port) == (ID, "mqtt.example", 8883)
    assert config.broker.password_file.read_text() == "secret\n"
    assert config.broker.password_file.stat().st_mode & 0o777 == 0o600


def test_init_replaces_nothing_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    init(path)
    before = path.read_text()
    code, output = init(path, "--id", "gw-aaaaaaaaaa", "--broker", "b")
    assert (code, path.read_text()) == (2, before)
    assert "--force" in output
    assert init(path, "--id", "gw-aaaaaaaaaa", "--broker", "b", "--force")[0] == 0
    assert load_config(path).id == "gw-aaaaaaaaaa"


@pytest.mark.parametrize(
    "words",
    [
        ("--id", "depot 3", "--broker", "b"),
        ("--id", ID, "--broker", "b:port"),
        ("--id", ID, "--broker", "b:0"),
        ("--id", ID, "--broker", "b", "--zone", "China"),
    ],
)
def test_init_refuses_what_can_not_work_and_writes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, output = init(tmp_path / "gateway.toml", *words)
    assert code == 2, output
    assert "error:" in output
    assert list(tmp_path.iterdir()) == []


def test_init_refuses_an_empty_password(tmp_path: Path) -> None:
    assert init(tmp_path / "gateway.toml", typed="\n")[0] == 2


def test_the_examples_in_new_settings_can_be_used_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    init(path)
    text = re.sub(r"^# ?(?=\[|\w+ = )", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    config = load_config(path)
    assert len(config.terminal) == 3
    assert "zk_adms" in config.push
    assert {load_profile(t.profile).family for t in config.terminal} == {"zk4370", "zk_adms", "scanner_serial"}


def test_check_is_content_with_good_settings_and_only_notes_a_silent_broker(tmp_path: Path) -> None:
    code, output = check(settings(tmp_path))
    assert code == 0, output
    assert "does not answer now" in output


def test_check_names_every_problem_and_what_to_do(tmp_path: Path) -> None:
    path = settings(
        tmp_path,
        '[[terminal]]\nname = "dock"\nprofile = "generic/aim-serial"\ndevice = "/dev/no-such-scanner"\n'
        '[[terminal]]\nname = "door"\nprofile = "zkteco/no-such-model"\nhost = "192.0.2.1"\n'
        '[[terminal]]\nname = "gate"\nprofile = "zkteco/k40"\nhost = "192.0.2.2"\nkey_file = "no-such-key"\n',
        mode=0o644,
    )
    code, output = check(path)
    assert code == 2
    assert "chmod 600" in output
    assert "/dev/no-such-scanner does not exist" in output
    assert "zkteco/no-such-model' does not exist" in output
    assert "no-such-key can not be read" in output


def test_check_without_a_password_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = settings(tmp_path)
    (tmp_path / "secret").unlink()
    code, output = check(path)
    assert code == 2
    assert "muster server gateways password" in output


def test_check_of_a_broken_file_names_file_and_key(tmp_path: Path) -> None:
    path = settings(tmp_path, "colour = 3\n")
    code, output = check(path)
    assert code == 2
    assert str(path) in output
    assert "colour" in output


def report(age_s: float) -> Health:
    return Health(
        at=system_clocks().wall_ms() - int(age_s * 1000),
        mono_ms=1,
        software="muster 1",
        backlog=1234,
        oldest_unacked_ms=1_800_000_000_000,
        free_bytes=2**30,
        quota_used_pct=3,
        alarms=["no_ack"],
        terminals=[TerminalHealth(terminal="SN1", name="door", profile="a/b", state="online")],
    )


def test_status_shows_the_last_report(tmp_path: Path) -> None:
    path = settings(tmp_path)
    (tmp_path / "data").mkdir()
    save(report(1), tmp_path / "data")
    done = runner.invoke(app, ["status", "--config", str(path)])
    assert done.exit_code == 0
    for told in ("1234", "SN1", "online", "no_ack"):
        assert told in done.output
    done = runner.invoke(app, ["status", "--json", "--config", str(path)])
    assert msgspec.json.decode(done.output, type=Health).backlog == 1234


def test_status_of_a_gateway_that_does_not_run_fails(tmp_path: Path) -> None:
    path = settings(tmp_path)
    assert runner.invoke(app, ["status", "--config", str(path)]).exit_code == 1
    (tmp_path / "data").mkdir()
    save(report(1000), tmp_path / "data")
    done = runner.invoke(app, ["status", "--config", str(path)])
    assert done.exit_code == 1
    assert "does not run" in done.output


def test_the_process_refuses_unusable_settings_with_code_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gateway", "--config", str(tmp_path / "none.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "none.toml: can not be read" in done.stderr


def test_run_becomes_the_process(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gateway.cli", "run", "--config", str(tmp_path / "none.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "muster gateway: " in done.stderr
