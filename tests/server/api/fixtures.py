"""The seeded company, on SQLite or on both databases."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.server.api.company import World, make_world
from tests.support.postgres import Postgres

_number = itertools.count(1)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    path = tmp_path_factory.mktemp("migrated") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
async def world(migrated_file: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The company on SQLite."""
    db = Database(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'muster.db')}")
    yield await make_world(db)
    await db.close()


@pytest.fixture(scope="session")
def migrated_cluster(postgres: Postgres) -> tuple[Postgres, str]:
    """The PostgreSQL cluster and the name of a migrated, empty database in it to copy; one for each test folder."""
    name = f"migrated_{next(_number)}"
    postgres.execute(f"create database {name}")
    migrate.upgrade(postgres.url(name))
    return postgres, name


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a migrated, empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path / 'any.db')}"
        return
    cluster, template = request.getfixturevalue("migrated_cluster")
    name = f"world_{next(_number)}"
    cluster.execute(f"create database {name} template {template}")
    yield cluster.url(name)
    cluster.execute(f"drop database {name} with (force)")


@pytest.fixture
async def any_world(migrated_url: str) -> AsyncIterator[World]:
    """The company once on SQLite and once on PostgreSQL."""
    db = Database(migrated_url)
    yield await make_world(db)
    await db.close()
