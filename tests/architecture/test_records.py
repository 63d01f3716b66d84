"""What the repository says about itself is true: locks, dependencies, paths, decisions."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"muster", "shared", "gateway", "server", "emulators"}

ALLOWED_EXTRAS = {
    "shared": set(),
    "emulators": set(),
    "gateway": {"gateway", "zk", "llrp", "hid"},
    "server": {"server", "analytics", "embedded", "lake"},
    "muster": {"demo"},
}
"""Extras whose libraries a package may import, beside what every installation has."""


def tracked_files() -> list[Path]:
    """Every file of the commit being worked on."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_registry(lock: Path) -> None:
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|^-[if] ", lock.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    ("lock", "extras"), [("dev", {"dev"}), ("gateway", {"gateway"}), ("server", {"server", "embedded"})]
)
def test_a_lock_holds_what_its_extras_ask_for(lock: str, extras: set[str]) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / f"requirements/{lock}.txt").read_text(), re.MULTILINE))
    stale = [
        str(wanted) for wanted in requirements(extras) if not wanted.specifier.contains(pins.get(wanted.name, "0"))
    ]
    assert stale == [], "run `make lock`"


def requirements(extras: set[str]) -> Iterator[Requirement]:
    """What an installation with these extras asks for, extras that name extras resolved."""
    for line in PROJECT["dependencies"]:
        yield Requirement(line)
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            wanted = Requirement(line)
            if wanted.name == "muster":
                yield from requirements(wanted.extras)
            else:
                yield wanted


@pytest.mark.parametrize("package", sorted(ALLOWED_EXTRAS))
def test_a_package_imports_only_what_its_extras_bring(package: str) -> None:
    brought = {canonicalize_name(wanted.name) for wanted in requirements(ALLOWED_EXTRAS[package])}
    if package == "shared":
        brought.add(canonicalize_name("python-calamine"))  # loaded where a sheet is read, by the two that bring it
    distributions = packages_distributions()
    foreign = {
        f"{name} in {path}"
        for path, name in imports(package)
        if not brought & {canonicalize_name(distribution) for distribution in distributions.get(name, [])}
    }
    assert foreign == set()


def imports(package: str) -> Iterator[tuple[str, str]]:
    """File and top-level name of each import of something that is neither ours nor the standard library's."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.append(node.module)
            for name in names:
                top = name.partition(".")[0]
                if top not in OURS and top not in sys.stdlib_module_names:
                    yield path.relative_to(ROOT).as_posix(), top


def test_no_file_holds_a_path_of_one_machine() -> None:
    places = "|".join(["work", "root", "home", "Users", "opt"])
    path = re.compile(rf"(?<![\w./$}}<-])/(?:{places})/[\w.-]+".encode())
    found = {
        f"{file.relative_to(ROOT)}: {hit.decode()}"
        for file in tracked_files()
        for hit in path.findall(file.read_bytes())
    }
    assert found == set()


def test_decisions_have_their_four_parts_and_fit_a_page() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [file.name[:4] for file in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for file in decisions:
        text = file.read_text()
        assert re.findall(r"^## (\w+)", text, re.MULTILINE) == ["Status", "Context", "Decision", "Consequences"], (
            file.name
        )
        assert len(text.split()) <= 500, file.name
