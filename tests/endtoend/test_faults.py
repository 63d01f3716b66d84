"""Nothing is lost and nothing doubled, whatever dies: fault matrix of reliability.md section 9."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.endtoend.counter import check_nothing_lost_or_doubled, number, stored_punches
from tests.endtoend.feeder import Feeder
from tests.endtoend.installation import Installation, wait_until
from tests.endtoend.mqtt_proxy import Faults, MqttProxy
from tests.support.loopback import wait_for_listener

if TYPE_CHECKING:
    from tests.endtoend.conftest import Install

SEED = 20261124
DRAIN_S = 150
"""A gateway that met many dead brokers waits up to 120 s before it tries again (reliability.md section 3)."""


def settled(url: str, query: str, for_s: float = 3, within_s: float = 60) -> int:
    """The number that the query gives once it has stayed the same for a while."""
    deadline, last, since = time.monotonic() + within_s, number(url, query), time.monotonic()
    while time.monotonic() < since + for_s:
        assert time.monotonic() < deadline, f"{query}: still changing after {within_s:g} s"
        time.sleep(0.2)
        now = number(url, query)
        if now != last:
            last, since = now, time.monotonic()
    return last


class Victim(Protocol):
    """What can be killed and started again."""

    def kill(self) -> None:
        """Kill -9."""

    def start(self) -> None:
        """Start it again."""


@contextmanager
def feeding(installation: Installation, serial: str, **pace: float) -> Iterator[Feeder]:
    """A terminal that punches all the while; at the end all it was answered for must be stored once."""
    feeder = Feeder(installation.push_port, serial, batch=int(pace.get("batch", 20)), pause_s=pace.get("pause_s", 0.02))
    wait_for_listener(installation.push_port, lambda: installation.gateway.alive)
    feeder.start()
    yield feeder
    feeder.stop()
    kept = feeder.keys(feeder.answered)
    assert kept, "the feeder got nothing through: the test proves nothing"
    wait_until(
        lambda: kept <= set(stored_punches(installation.database_url)), DRAIN_S, "all that was kept is stored", 0.5
    )
    check_nothing_lost_or_doubled(installation.database_url, kept, feeder.keys(feeder.sent))


def kill_rounds(victims: Sequence[Victim], rounds: int, seed: int) -> None:
    """Kill one of them at a random moment, start it again a random moment later, ``rounds`` times."""
    print(f"seed {seed}")  # noqa: T201 - replays the run
    pick = random.Random(seed)
    for _ in range(rounds):
        time.sleep(pick.uniform(0.05, 2.5))
        victim = pick.choice(victims)
        victim.kill()
        time.sleep(pick.choice([0, 0, pick.uniform(0, 1)]))
        victim.start()


@pytest.mark.timeout(420)
def test_rel02_kill9_loop(install_real: "Install", serial: str) -> None:
    """F1, F7, F12: 50 kills spread over gateway, broker and server while a terminal punches."""
    installation = install_real()
    installation.start()
    assert installation.broker is not None
    with feeding(installation, serial):
        kill_rounds([installation.gateway, installation.broker, installation.server], 50, SEED)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_rel02_kill9_loop_200(install: "Install", serial: str, seed: int) -> None:
    """50 more for each seed, on both installations."""
    installation = install()
    installation.start()
    victims: list[Victim] = [installation.gateway, installation.server]
    if installation.broker is not None:
        victims.append(installation.broker)
    with feeding(installation, serial):
        kill_rounds(victims, 50, seed)


def test_rel02_small_installation_survives_kills(install_small: "Install", serial: str) -> None:
    """The embedded broker dies with its server, SQLite in the middle of a transaction."""
    installation = install_small()
    installation.start()
    with feeding(installation, serial):
        kill_rounds([installation.gateway, installation.server], 6, SEED)


@pytest.mark.timeout(300)
def test_rel11_broker_faults_f7_killed_with_empty_persistence(install_real: "Install", serial: str) -> None:
    installation = install_real()
    installation.start()
    assert installation.broker is not None
    with feeding(installation, serial):
        kill_rounds([installation.broker], 5, SEED)


@pytest.mark.timeout(300)
def test_rel11_broker_faults_f9_accepts_and_drops(install_real: "Install", serial: str) -> None:
    """Rights taken away: the broker goes on with PUBACK and delivers nothing, until they are given back."""
    installation = install_real()
    installation.start()
    assert installation.broker is not None
    url = installation.database_url
    acl = installation.folder / "broker/acl"
    allowed = acl.read_text()
    with feeding(installation, serial) as feeder:
        wait_until(lambda: number(url, "select count(*) from punches") > 0, 30, "a punch is stored")
        acl.write_text(f"user {installation.gateway_id}\ntopic deny gw/{installation.gateway_id}/#\n\n{allowed}")
        installation.broker.reload()
        before = settled(url, "select count(*) from events")
        answered = feeder.answered
        wait_until(lambda: feeder.answered > answered + 200, 60, "the gateway keeps on taking punches")
        assert number(url, "select count(*) from events") == before, "nothing comes through"
        acl.write_text(allowed)
        installation.broker.reload()


@pytest.mark.timeout(300)
def test_rel11_broker_faults_f10_repeated_reordered_delayed(install_real: "Install", serial: str) -> None:
    installation = install_real()
    assert installation.broker is not None
    print(f"seed {SEED}")  # noqa: T201 - replays the run
    proxy = MqttProxy(installation.broker_port, SEED, Faults())
    installation.send_gateway_by(proxy.port)
    installation.start()
    with feeding(installation, serial):
        wait_until(lambda: min(proxy.faults.counts.values()) > 20, 120, "faults enough", 0.5)
    proxy.close()


@pytest.mark.timeout(300)
def test_two_ingest_processes_share_one_backlog(install_real: "Install", serial: str) -> None:
    """Both on one shared subscription, killed in turn while one gateway's backlog drains."""
    installation = install_real()
    assert installation.broker is not None
    installation.share_subscription()
    installation.broker.start()
    installation.gateway.start()
    with feeding(installation, serial, batch=500, pause_s=0.0) as feeder:
        wait_until(lambda: feeder.answered > 20_000, 60, "a backlog")
        first = installation.server_process("ingest-1", "--role", "ingest", "--broker-user", "server-1")
        second = installation.server_process("ingest-2", "--role", "ingest", "--broker-user", "server-2")
        worker = installation.server_process("worker", "--role", "worker")
        for program in (first, second, worker):
            program.start()
        feeder.stop()
        kill_rounds([first, second], 8, SEED)
    for program in (first, second):
        assert program.alive
