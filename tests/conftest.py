"""Options of the test run, and real services: Mosquitto, PostgreSQL, each with its own port and folder.

With CI=true a skipped test fails the run; anywhere else skips are counted and their reasons printed.
"""

import gc
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import mosquitto as _mosquitto
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import Postgres, find_programs

# Property tests are judged by what they find; how long an example takes says only how busy the machine is.
settings.register_profile("muster", deadline=None)
settings.load_profile("muster")

SLOWEST = (
    "tests/endtoend/test_faults.py",
    "tests/muster/business/test_company.py",
    "tests/server/services/test_worked_numbers.py",
    "tests/web/test_requests.py",
    "tests/endtoend/test_main_path.py",
    "tests/server/services/test_spark.py",
    "tests/server/services/test_counting.py",
    "tests/web/test_closing.py",
    "tests/web/test_periods.py",
    "tests/muster/demo/test_demo.py",
    "tests/web/test_reports.py",
    "tests/server/services/test_verifying.py",
    "tests/server/services/test_refreshing.py",
)
"""Begun first: of files that take minutes the last one would keep a single worker busy when all else is done."""

IN_CI = os.environ.get("CI") == "true"
_number = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")
    parser.addoption("--peers", action="store_true", help="also run the tests that read real business systems")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests and those of peers unless asked for, which is no skip; slow files come first."""
    for option, marker in (("--long", "long"), ("--peers", "peer")):
        if not config.getoption(option):
            left_out = [item for item in items if item.get_closest_marker(marker)]
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)
    place = {config.rootpath / file: number for number, file in enumerate(SLOWEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Let garbage collections leave out what is there for good: every test, and the modules they import."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a CI run that skipped something."""
    if IN_CI and exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if IN_CI and _skipped(config):
        terminalreporter.write_line(f"CI=true and {_skipped(config)} skipped: install what they need", red=True)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.fixture
def start_broker_process(tmp_path: Path) -> Iterator[Callable[[str], Mosquitto]]:
    """Start Mosquitto with these lines of configuration; it ends with the test."""
    if _mosquitto.PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    started: list[Mosquitto] = []

    def start(settings: str) -> Mosquitto:
        broker = Mosquitto(tmp_path / f"mosquitto-{len(started)}", settings)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def mosquitto(start_broker_process: Callable[[str], Mosquitto]) -> Mosquitto:
    """A running Mosquitto that lets everybody in and keeps nothing on disk."""
    return start_broker_process("allow_anonymous true\npersistence false")


@contextmanager
def _clusters(*, durable: bool) -> Iterator[Callable[[], Postgres]]:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    started: list[Postgres] = []
    # Not pytest's own folder: it lets nobody else in, and as root the cluster runs as another user.
    with tempfile.TemporaryDirectory(prefix="muster-postgres-") as folder:
        Path(folder).chmod(0o755)

        def start() -> Postgres:
            cluster = Postgres(programs, Path(folder, str(len(started))), durable=durable)
            started.append(cluster)
            cluster.create()
            cluster.start()
            return cluster

        try:
            yield start
        finally:
            for cluster in started:
                cluster.crash()


@pytest.fixture
def start_cluster() -> Iterator[Callable[[], Postgres]]:
    """Start a PostgreSQL cluster of one's own, for tests that crash it."""
    with _clusters(durable=True) as start:
        yield start


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL cluster that all tests share; take ``postgres_url`` for a database in it."""
    with _clusters(durable=False) as start:
        yield start()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """``postgresql://`` address of an empty database, which goes with the test."""
    name = f"test_{next(_number)}"
    postgres.execute(f"create database {name}")
    yield postgres.url(name)
    postgres.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'muster.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def shared_files() -> Path:
    """The folder of specifications and recorded data beside the checkout."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: recorded data is not part of the repository")
    return folder
