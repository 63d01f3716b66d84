"""The built pages and their sources: size, types, dictionaries."""

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.conftest import Visits

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "server/static"
WEB = ROOT / "web"
BUDGET = 60_000


@pytest.mark.parametrize("path", ["/today", "/devices"])
def test_first_load_stays_within_its_budget(path: str, visits: Visits) -> None:
    visit = visits.open("administrator", "about:blank")
    scripts: list[str] = []
    visit.page.on("request", lambda request: scripts.append(request.url) if request.resource_type == "script" else None)
    visit.page.goto(path)
    expect(visit.page.locator("[data-ready=true]").first).to_be_visible()
    names = {script.rsplit("/", 1)[1] for script in scripts}
    assert names
    assert sum((STATIC / "assets" / f"{name}.gz").stat().st_size for name in names) <= BUDGET


def test_every_text_file_has_a_zipped_sibling_of_the_same_content(browser: Browser) -> None:
    texts = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert texts
    for path in texts:
        assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == path.read_bytes()


def test_components_hold_no_text_of_their_own() -> None:
    for path in WEB.glob("src/**/*.svelte"):
        source = re.sub(r"<!--.*?-->", "", path.read_text(), flags=re.DOTALL)
        # The switch to Chinese names itself in Chinese.
        assert not re.search(r"[\u4e00-\u9fff]", source.replace('"中"', "")), path


def test_lock_names_no_registry() -> None:
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_api_types_are_those_of_the_server(tmp_path: Path) -> None:
    generator = WEB / "node_modules/.bin/openapi-typescript"
    node = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin")
    if node is None or not generator.exists():
        pytest.skip("node or web/node_modules is missing: run `make web`")
    document = tmp_path / "openapi.json"
    with document.open("wb") as file:
        subprocess.run([sys.executable, "-m", "server.cli", "openapi"], cwd=ROOT, stdout=file, check=True)
    made = tmp_path / "api.d.ts"
    subprocess.run([node, generator, document, "-o", made], cwd=WEB, capture_output=True, check=True)
    assert made.read_text() == (WEB / "src/app/api.d.ts").read_text(), "run `npm run types` in web/"
