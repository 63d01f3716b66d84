"""Installations that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.endtoend.installation import Installation
from tests.support.mosquitto import PROGRAM

SERIAL = "CKJG0001"

Install: TypeAlias = Callable[[], Installation]


@pytest.fixture
def serial() -> str:
    """The terminal that every installation knows."""
    return SERIAL


@pytest.fixture
def install_real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Install]:
    """Mosquitto and PostgreSQL, as at a real installation; not yet started."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    url: str = request.getfixturevalue("postgres_url")
    yield from _install(tmp_path, url, embedded=False)


@pytest.fixture
def install_small(tmp_path: Path) -> Iterator[Install]:
    """Embedded broker and SQLite in one server process; not yet started."""
    yield from _install(tmp_path, f"sqlite:///{tmp_path / 'muster.db'}", embedded=True)


@pytest.fixture(params=["small", "real"])
def install(request: pytest.FixtureRequest) -> Install:
    """Either of both."""
    made: Install = request.getfixturevalue(f"install_{request.param}")
    return made


def _install(folder: Path, url: str, *, embedded: bool) -> Iterator[Install]:
    made: list[Installation] = []

    def make() -> Installation:
        made.append(Installation(folder, url, embedded=embedded, serials=[SERIAL]))
        return made[-1]

    yield make
    for installation in made:
        installation.end()
