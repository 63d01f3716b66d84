"""A driver that somebody else writes: made by a command, passes its own test, is found by its entry points."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.driver import app
from gateway.cli.scaffold import FILES

ROOT = Path(__file__).parents[3]
METADATA = "Metadata-Version: 2.1\nName: muster-acme-gate\nVersion: 0.1.0\n"
FIND = """
from gateway.app import build_fleet, load_driver
from gateway.profile import load_profile
profile = load_profile("acme-gate/one")
print(load_driver(profile.family).family, profile.brand)
"""


def new(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["new", *words])
    return done.exit_code, done.output


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    code, output = new("acme_gate", "--folder", str(tmp_path / "package"))
    assert code == 0, output
    return tmp_path / "package"


def test_every_file_is_written_with_the_name_filled_in(package: Path) -> None:
    written = {path.relative_to(package): path.read_text() for path in package.rglob("*") if path.is_file()}
    assert len(written) == len(FILES)
    assert [path for path, text in written.items() if "@NAME" in text or "@NAME" in str(path)] == []
    assert Path("muster_acme_gate/firmware_profiles/acme-gate/one.toml") in written


def test_its_own_test_passes(package: Path) -> None:
    done = python(
        package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestDeprecationWarning"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_once_installed_driver_and_profile_are_found(package: Path) -> None:
    assert python(package, "-c", FIND).returncode != 0  # on the path, but not installed
    installed = package / "muster_acme_gate-0.1.0.dist-info"  # what pip would write
    installed.mkdir()
    (installed / "METADATA").write_text(METADATA)
    (installed / "entry_points.txt").write_text(_entry_points((package / "pyproject.toml").read_text()))
    done = python(package, "-c", FIND)
    assert done.stdout == "acme_gate Acme Gate\n", done.stderr
    (package / "lines").write_text("17,1000,2026-11-23 08:59:01,1,0\n")
    code = "from gateway.cli.device import app; app()"
    done = python(package, "-c", code, "decode", "--family", "acme_gate", "lines")
    assert (done.returncode, '"user": "1000"' in done.stdout) == (0, True), done.stderr


def _entry_points(pyproject: str) -> str:
    import tomllib

    groups = tomllib.loads(pyproject)["project"]["entry-points"]
    return "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in groups.items()
    )


@pytest.mark.parametrize("name", ["Acme", "a", "4you", "acme-gate", "../acme", "tests"])
def test_a_name_that_can_not_be_a_module_is_refused(name: str, tmp_path: Path) -> None:
    assert new(name, "--folder", str(tmp_path / "package"))[0] == 2
    assert not (tmp_path / "package").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    assert new("acme", "--folder", str(tmp_path))[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
