"""Every family passes its emulator end to end into the server, in one run of the demo."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

MUSTER = Path(sys.executable).parent / "muster"
FIVE_MINUTES_S = 300


@pytest.mark.timeout(FIVE_MINUTES_S + 20)
def test_every_family_reaches_the_server_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    done = subprocess.run(
        [MUSTER, "demo", "--all-families", "--json", "--folder", tmp_path / "demo"],
        capture_output=True, text=True, check=False, timeout=FIVE_MINUTES_S,
    )  # fmt: skip
    *devices, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr + done.stdout
    assert {one["family"] for one in devices} == {entry.name for entry in entry_points(group="muster.drivers")}
    for one in devices:
        assert (one["stored"], one["lost"], one["duplicates"]) == (20, 0, 0), one
        assert one["state"] in ("online", "degraded"), one
    total = last["total"]
    assert (total["lost"], total["duplicates"], total["quarantined"]) == (0, 0, 0)
    assert total["emitted"] == total["stored"] + total["repeats"]
    assert total["repeats"] > len(devices) / 2  # all but plain scanners give something twice
