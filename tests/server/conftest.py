"""Migrated databases: made once on each database for a process of the tests, copied for each test."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.store import migrate
from server.store.database import Database
from tests.support.postgres import Postgres
from tests.support.with_keys import masters

_number = itertools.count(1)


class _Kept:
    """A migrated database of the cluster that is emptied after each test: to make one takes twenty times as long.

    Rows that the migrations brought are kept aside. Where a test changed tables themselves, the next gets a new one.
    """

    def __init__(self, cluster: Postgres, template: str) -> None:
        self._cluster, self._template = cluster, template
        self._name: str | None = None

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Its address."""
        if self._name is None:
            self._name = f"kept_{next(_number)}"
            self._cluster.execute(f"create database {self._name} template {self._template}")
            self._cluster.execute(_KEEP, self._name)
        name, self._name = self._name, None
        yield self._cluster.url(name)
        try:
            self._cluster.execute(_EMPTY, name)
        except AssertionError:  # what psql said does not matter: a new one is made
            self._cluster.execute(f"drop database {name} with (force)")
        else:
            self._name = name


_KEEP = """
create schema kept;
do $$
declare name text; there boolean;
begin
  create table kept.names as select tablename::text as name from pg_tables where schemaname = 'public';
  for name in select k.name from kept.names k loop
    execute format('select exists (select from public.%I)', name) into there;
    if there then execute format('create table kept.%I as table public.%I', 'of_' || name, name); end if;
  end loop;
end $$
"""
_EMPTY = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
set session_replication_role = replica;
do $$
declare name text;
begin
  for name in select tablename from pg_tables where schemaname = 'public' except select k.name from kept.names k loop
    execute format('drop table if exists public.%I cascade', name);
  end loop;
  for name in select k.name from kept.names k loop
    execute format('delete from public.%I', name);
  end loop;
  for name in select tablename from pg_tables where schemaname = 'kept' and tablename like 'of\\_%' loop
    execute format('insert into public.%I overriding system value table kept.%I', substr(name, 4), name);
  end loop;
  perform setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    from pg_sequences where schemaname = 'public' and last_value is not null;
end $$
"""


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


@pytest.fixture(scope="session")
def _kept(migrated_cluster: tuple[Postgres, str]) -> _Kept:
    return _Kept(*migrated_cluster)


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a migrated database without rows, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path / 'muster.db')}"
        return
    kept: _Kept = request.getfixturevalue("_kept")
    with kept.lent() as url:
        yield url


@pytest.fixture
async def migrated_sqlite(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite database without rows: for what the kind of database has nothing to do with."""
    database = Database(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'muster.db')}", masters)
    yield database
    await database.close()
