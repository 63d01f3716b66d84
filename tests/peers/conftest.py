"""Running peers, and a Muster that reads them with its presets."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.peers import systems
from tests.peers.reading import Reader
from tests.peers.systems import System
from tests.support.postgres import Postgres

_number = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("peer")


@contextmanager
def _running(make: Callable[[Path], System], folder: Path) -> Iterator[System]:
    system = make(folder)
    system.start()
    try:
        yield system
    finally:
        system.kill()


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with _running(systems.tryton, tmp_path_factory.mktemp("tryton")) as system:
        yield system


@pytest.fixture(scope="module")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with _running(systems.helpdesk, tmp_path_factory.mktemp("helpdesk")) as system:
        yield system


@pytest.fixture(scope="module")
def request_tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with _running(systems.request_tracker, tmp_path_factory.mktemp("rt")) as system:
        yield system


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file without rows."""
    path = tmp_path_factory.mktemp("muster") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(scope="session")
def migrated_cluster(postgres: Postgres) -> tuple[Postgres, str]:
    """A PostgreSQL cluster, and the name of a migrated database without rows in it."""
    postgres.execute("create database migrated")
    migrate.upgrade(postgres.url("migrated"))
    return postgres, "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of an empty Muster, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        (tmp_path / "muster.db").write_bytes(request.getfixturevalue("migrated_file"))
        yield f"sqlite:///{tmp_path / 'muster.db'}"
        return
    cluster, template = request.getfixturevalue("migrated_cluster")
    name = f"muster_{next(_number)}"
    cluster.execute(f"create database {name} template {template}")
    yield cluster.url(name)
    cluster.execute(f"drop database {name} with (force)")


@pytest.fixture
async def reader(empty_url: str, tmp_path: Path) -> AsyncIterator[Reader]:
    """A Muster with an empty database."""
    db = Database(empty_url)
    yield Reader(db, tmp_path)
    await db.close()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that failed is not tried again: the next run has to do it."""
    monkeypatch.setattr("server.connectors.fetch.opening.delay_s", lambda *_: None)
