"""Running peers, and a Muster that reads them with its presets."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.peers import systems
from tests.peers.reading import Reader
from tests.peers.systems import System


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
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("muster") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
async def reader(empty: bytes, tmp_path: Path) -> AsyncIterator[Reader]:
    """A Muster with an empty database."""
    path = tmp_path / "muster.db"
    path.write_bytes(empty)
    db = Database(f"sqlite:///{path}")
    yield Reader(db, tmp_path)
    await db.close()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that failed is not tried again: the next run has to do it."""
    monkeypatch.setattr("server.connectors.fetch.opening.delay_s", lambda *_: None)
