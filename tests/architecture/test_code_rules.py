"""Rules of this code base that no linter knows, read from the source."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import MusterError

ROOT = Path(__file__).parents[2]
PACKAGES = ("muster", "shared", "gateway", "server", "emulators")
NOT_IMPORTABLE = ("__main__", "migrations")
"""They run something when imported."""

STATEMENTS = {
    "select",
    "insert",
    "update",
    "delete",
    "text",
    "union",
    "union_all",
    "exists",
    "func",
    "case",
    "literal_column",
}
WALL_CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


def sources(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Path below the root and syntax tree of every module of these packages."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def modules() -> list[str]:
    """Names of all modules that can be imported without running something."""
    names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path, _ in sources(*PACKAGES)]
    return [name for name in names if not set(NOT_IMPORTABLE) & set(name.split("."))]


@pytest.mark.parametrize("name", modules())
def test_every_exception_descends_from_the_root(name: str) -> None:
    module = importlib.import_module(name)
    own = [thing for _, thing in inspect.getmembers(module, inspect.isclass) if thing.__module__ == name]
    strays = [thing for thing in own if issubclass(thing, BaseException) and not issubclass(thing, MusterError)]
    assert strays == []


OTHERS_QUERIES = "server/connectors/fetch/database.py"
"""Asks databases of other systems what their source files say."""


def test_statements_are_built_in_the_store_only() -> None:
    found = [
        f"{path}: {ast.unparse(node)}"
        for path, tree in sources("server", "muster")
        if not path.startswith("server/store/") and path != OTHERS_QUERIES
        for node in ast.walk(tree)
        if _builds_statement(node)
    ]
    assert found == [], "move the query into server/store/, in a function named after its question"


def _builds_statement(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "sqlalchemy":
            return bool(STATEMENTS & {name.name for name in names})
        case ast.Attribute(value=ast.Name(id="sqlalchemy" | "sa"), attr=name):
            return name in STATEMENTS
        case ast.Attribute(attr="exec_driver_sql"):
            return True
    return False


def test_the_wall_clock_is_read_in_one_place() -> None:
    """Time-outs, resends and schedules follow the monotonic clock; whoever needs the wall clock is handed it."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in sources("shared", "gateway", "server")
        if path != "shared/clock.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _owner_and_name(node.func) in WALL_CLOCKS
    ]
    assert found == [], "take the time from shared.clock.Clocks"


def _owner_and_name(function: ast.Attribute) -> tuple[str, str]:
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name, function.attr


@pytest.mark.parametrize(
    "line",
    ["from sqlalchemy import select", "import sqlalchemy as sa; sa.text('x')", "connection.exec_driver_sql('x')"],
)
def test_the_statement_rule_notices(line: str) -> None:
    assert any(map(_builds_statement, ast.walk(ast.parse(line))))
