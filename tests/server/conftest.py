"""Migrated databases: made once on each database for a process of the tests, copied for each test."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.support.postgres import Postgres

_number = itertools.count(1)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database without rows, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "muster.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_cluster(postgres: Postgres) -> tuple[Postgres, str]:
    """The PostgreSQL cluster, and the name of a migrated database without rows in it, to be copied."""
    postgres.execute("create database migrated")
    migrate.upgrade(postgres.url("migrated"))
    return postgres, "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a migrated database without rows, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path / 'muster.db')}"
        return
    cluster, template = request.getfixturevalue("migrated_cluster")
    name = f"migrated_{next(_number)}"
    cluster.execute(f"create database {name} template {template}")
    yield cluster.url(name)
    cluster.execute(f"drop database {name} with (force)")


@pytest.fixture
async def migrated_sqlite(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite database without rows: for what the kind of database has nothing to do with."""
    database = Database(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'muster.db')}")
    yield database
    await database.close()
