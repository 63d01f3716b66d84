"""The demo counts itself: everything its devices emit is stored once, recognised as a repeat, or in quarantine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

MUSTER = Path(sys.executable).parent / "muster"


@pytest.mark.timeout(240)
def test_a_headless_demo_loses_nothing_and_doubles_nothing() -> None:
    done = subprocess.run(
        [MUSTER, "demo", "--headless", "--seconds", "25", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    tally = json.loads(done.stdout)
    assert (tally["lost"], tally["duplicates"]) == (0, 0)
    assert tally["emitted"] == tally["stored"] + tally["quarantined"] + tally["repeats"]
    # A batch of five is pushed twice, a file of the day is sent twice; an impossible date and noise are the quarantine.
    assert tally["repeats"] > 5
    assert tally["quarantined"] == 2
    assert tally["stored"] > 5_000
    assert tally["scorecards"] >= 60


@pytest.mark.timeout(240)
def test_ctrl_c_stops_everything_and_leaves_no_process(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [MUSTER, "demo", "--folder", tmp_path / "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    try:
        assert demo.stdout is not None
        url = next(line.split()[0] for line in demo.stdout if line.startswith("http://"))
        assert httpx.get(f"{url}/health").status_code == 200
        time.sleep(5)  # in the middle of the day: stopping must not wait for its end
        demo.send_signal(signal.SIGINT)
        rest = demo.communicate(timeout=90)[0]
    finally:
        demo.kill()
        demo.communicate()
    assert demo.returncode == 0, rest
    assert "lost" in rest
    assert still_running(tmp_path / "demo") == []


def still_running(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(b" ".join(words).decode())
    return found
