"""The snippets of the page on custom devices run as they stand, against the gateway's own way in."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.app import build_fleet
from gateway.config import load_config
from gateway.driver import DriverTask
from gateway.drivers.custom.driver import DRIVER
from gateway.profile import load_profile
from shared.clock import system_clocks
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink

PAGE = (Path(__file__).parents[2] / "docs/howto/custom-devices.md").read_text(encoding="utf-8")
BASE = 'id = "gw-0123456789"\ndata = "data"\nzone = "Asia/Shanghai"\nbroker = { password_file = "p" }\n'
KEY = "5f4dcc3b5aa765d61d8327deb882cf99" * 2


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def tasks_of(folder: Path, toml: str, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch) -> list[DriverTask]:
    monkeypatch.setattr("gateway.app.load_driver", lambda _family: DRIVER)
    (folder / "gateway.toml").write_text(BASE + toml)
    (folder / "turnstile.key").write_text(KEY + "\n")
    clocks = system_clocks()
    fleet = build_fleet(load_config(folder / "gateway.toml"), sink, clocks, clocks.mono_ms)
    assert [str(error) for _, error in fleet.problems] == []
    return fleet.tasks


async def test_python_and_curl_deliver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, sink = str(free_port()), RecordingSink()
    settings = snippets("toml")[0].replace("8090", port).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    (task,) = tasks_of(tmp_path, settings, sink, monkeypatch)
    running: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]
    (code,) = snippets("python")
    said = json.loads(await output(tmp_path, [sys.executable, "-c", code.replace("8090", port)]))
    assert said == {"accepted": 2, "repeats": 0, "damaged": []}
    assert [(punch.terminal, punch.user) for punch in sink.punches] == [("T-0001", "1007")]
    assert [scan.code for scan in sink.scans] == ["SF1000000000001"]
    if shutil.which("curl") and shutil.which("openssl"):
        shell = snippets("sh")[1].replace("8090", port)
        for accepted in (1, 0):
            said = json.loads(await output(tmp_path, ["sh", "-euc", shell]))
            assert said == {"accepted": accepted, "repeats": 1 - accepted, "damaged": []}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def output(folder: Path, words: list[str]) -> str:
    done = await asyncio.to_thread(subprocess.run, words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_the_settings_for_a_broker_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_profile("generic/custom-mqtt").family == "custom"
    (task,) = tasks_of(tmp_path, snippets("toml")[1], RecordingSink(), monkeypatch)
    assert task.name == "custom 127.0.0.1:1883"
