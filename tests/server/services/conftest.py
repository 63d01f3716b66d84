"""An installed database, once on SQLite and once on PostgreSQL."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.support.postgres import Postgres

_number = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("template") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """Name of a migrated database; copying it is faster than migrating."""
    postgres.execute("create database services_template")
    migrate.upgrade(postgres.url("services_template"))
    return "services_template"


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "muster.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        yield f"sqlite:///{path}"
        return
    template: str = request.getfixturevalue("postgres_template")
    server: Postgres = request.getfixturevalue("postgres")
    name = f"services_{next(_number)}"
    server.execute(f"create database {name} template {template}")
    yield server.url(name)
    server.execute(f"drop database {name} with (force)")


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database without rows, connected."""
    database = Database(migrated_url)
    yield database
    await database.close()


@pytest.fixture
async def migrated_sqlite(sqlite_template: bytes, tmp_path: Path) -> AsyncIterator[Database]:
    """As ``db``, on SQLite only: for what no database has to do with."""
    path = tmp_path / "muster.db"
    path.write_bytes(sqlite_template)
    database = Database(f"sqlite:///{path}")
    yield database
    await database.close()
