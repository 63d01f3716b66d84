"""Wheel and sdist carry the pages: neither installing nor serving them needs Node."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from hatch_build import up_to_date
from tests.endtoend.installation import Program
from tests.support.loopback import HOST, free_port, wait_for_listener

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def without_node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which neither node nor npm can be found."""
    return {**os.environ, "PATH": str(tmp_path_factory.mktemp("empty"))}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory, without_node: dict[str, str]) -> tuple[Path, Path]:
    """The sdist of this checkout, and the wheel that was built from the sdist, without Node."""
    if not up_to_date(ROOT):
        pytest.skip("the pages are older than web/: run `make web`")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--outdir", str(folder)]
    subprocess.run(build, cwd=ROOT, env=without_node, capture_output=True, check=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def test_neither_carries_packages_of_node_and_both_carry_the_pages(distributions: tuple[Path, Path]) -> None:
    sdist, wheel = distributions
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[-1] for name in archive.getnames()]
    for name_list in (names, zipfile.ZipFile(wheel).namelist()):
        assert not [name for name in name_list if "node_modules" in name]
        assert {"server/static/index.html", "server/static/index.html.gz"} <= set(name_list)
        assert [name for name in name_list if name.startswith("server/static/assets/")]
    assert "web/package-lock.json" in names
    assert not [name for name in names if name.startswith(("data/", "tests/web/screenshots"))]


def test_an_installed_wheel_serves_the_pages_without_node(
    distributions: tuple[Path, Path], without_node: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "clean"
    venv.create(home, symlinks=True)
    packages = next(home.glob("lib/python*/site-packages"))
    zipfile.ZipFile(distributions[1]).extractall(packages)  # noqa: S202 - the wheel is our own
    # Dependencies only: .pth files of the folder named here are not read, so the editable checkout stays out of sight.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    port, broker_port = free_port(), free_port()
    (tmp_path / "broker-passwords").write_text("server-1:not-used-here\n")
    settings = tmp_path / "server.toml"
    settings.write_text(
        f"[broker]\nembedded = true\nport = {broker_port}\n[http]\nport = {port}\n"
        f'[database]\nurl = "sqlite:///{tmp_path / "muster.db"}"\n'
    )
    monkeypatch.setenv("PATH", without_node["PATH"])
    python = (str(home / "bin/python"), "-P")  # -P: not what lies in the working folder
    where = subprocess.check_output([*python, "-c", "import server; print(server.__file__)"], text=True)
    assert Path(where.strip()).is_relative_to(packages)
    subprocess.run([*python, "-m", "server.cli", "migrate", "--config", str(settings)], check=True)
    server = Program("server", tmp_path)
    server.words = (*python, "-m", "server.cli", "run", "--config", str(settings))
    server.start()
    try:
        wait_for_listener(port, lambda: server.alive, within_s=60)
        with httpx.Client(base_url=f"http://{HOST}:{port}") as client:
            shell = client.get("/")
            assert shell.status_code == 200
            assert 'id="app"' in shell.text
            script = shell.text.split('src="/assets/')[1].split('"')[0]
            assert client.get(f"/assets/{script}").headers["content-type"].startswith("text/javascript")
    finally:
        server.stop()
