"""The recorded year, fed once for all tests that read what became of it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

MUSTER = Path(sys.executable).parent / "muster"


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where the server keeps its data, and how many events were counted."""

    data: Path
    tally: dict[str, int]

    @property
    def database(self) -> Path:
        """The server's SQLite file."""
        return self.data / "server/muster.db"


def replay(what: str, source: Path, zone: str, data: Path) -> Replayed:
    """``muster replay`` as a user would call it."""
    words = [str(MUSTER), "replay", what, str(source), "--zone", zone, "--data", str(data), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return Replayed(data, json.loads(done.stdout))


@pytest.fixture(scope="session")
def recorded_year(shared_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """A year of forty people through terminal, gateway, broker and server."""
    return replay(
        "attendance", shared_files / "data/attendance", "Asia/Kolkata", tmp_path_factory.mktemp("year") / "data"
    )
