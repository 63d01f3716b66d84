"""The import rules of .importlinter hold, and each one notices the import that it forbids."""

import configparser
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("muster", "shared", "gateway", "server", "emulators")


@dataclass(frozen=True)
class Break:
    """Lines added to the end of files (made when missing) that one contract must notice."""

    contract: str
    lines: dict[str, str]


BREAKS = (
    Break("root", {"shared/errors.py": "import gateway.config"}),
    Break("root", {"gateway/config.py": "import server.config"}),
    Break("root", {"server/config.py": "import gateway.config"}),
    Break("root", {"emulators/__init__.py": "import gateway.config"}),
    Break("root", {"gateway/config.py": "import muster.cli"}),
    Break("gateway", {"gateway/config.py": "import gateway.profile"}),
    Break("gateway", {"gateway/profile.py": "import gateway.driver"}),
    Break("gateway", {"gateway/nobodys.py": ""}),
    Break("gateway", {"gateway/directory/executor.py": "import gateway.sync.client"}),
    Break("gateway", {"gateway/directory/executor.py": "import gateway.supervisor"}),
    Break("server", {"server/config.py": "import server.app"}),
    Break("server", {"server/store/__init__.py": "import server.fleet"}),
    Break("server", {"server/access/__init__.py": "import server.store"}),
    Break("server", {"server/nobodys.py": ""}),
    Break(
        "brands",
        {
            "gateway/drivers/acme/driver.py": "import gateway.drivers.other.driver",
            "gateway/drivers/other/driver.py": "",
        },
    ),
    Break("codecs", {"gateway/drivers/acme/codec.py": "import socket"}),
    Break(
        "codecs",
        {
            "gateway/drivers/acme/codec.py": "import gateway.drivers.acme.wire",
            "gateway/drivers/acme/wire.py": "import asyncio",
        },
    ),
    Break("sessions", {"gateway/sync/session.py": "import asyncio"}),
    Break("sessions", {"server/ingest/session.py": "from sqlalchemy import select"}),
    Break("rules", {"server/access/scope.py": "import time"}),
    Break("rules", {"server/attendance/engine.py": "import sqlalchemy"}),
    Break("rules", {"server/scoring/engine.py": "import fastapi"}),
    Break("forecasts", {"server/scoring/rewards.py": "import server.analytics.forecast"}),
    Break("forecasts", {"server/services/payroll.py": "import server.services.trends"}),
    Break("forecasts", {"server/services/score_rewards.py": "import statsmodels"}),
    Break("small_gateway", {"gateway/driver.py": "import sqlalchemy"}),
)


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in ``root``."""
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run([program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)


def contract_names() -> dict[str, str]:
    """Id of each contract and the sentence under which import-linter reports it."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {
        name.removeprefix(prefix): settings[name]["name"] for name in settings.sections() if name.startswith(prefix)
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The Python files of all packages, to break."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_tree_keeps_every_contract() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.contract}-{next(iter(broken.lines))}")
def test_a_forbidden_import_breaks_its_contract(broken: Break, copy: Path) -> None:
    for name, line in broken.lines.items():
        path = copy / name
        for folder in path.parents:
            if folder == copy:
                break
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").touch()
        with path.open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1
    assert f"{contract_names()[broken.contract]} BROKEN" in done.stdout


def test_every_contract_is_broken_by_some_case() -> None:
    assert {broken.contract for broken in BREAKS} == set(contract_names())
