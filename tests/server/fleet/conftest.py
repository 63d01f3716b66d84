"""The two brokers, with the accounts that a test names, and clients that speak to them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from server.fleet.embedded_broker import Accounts, EmbeddedBroker
from server.fleet.passwords import hash_password
from server.fleet.topic_rules import acl_file, password_file
from tests.support.mosquitto import PROGRAM, Mosquitto

SAMPLE = Path(__file__).parents[3] / "deploy/mosquitto/muster.conf"


@dataclass
class RunningBroker:
    """A broker on a free port and what a client needs to reach it."""

    port: int
    passwords: dict[str, str]
    protocol: aiomqtt.ProtocolVersion
    folder: Path
    revoked: set[str] = field(default_factory=set)
    reload: Callable[[], None] = lambda: None

    def client(self, user: str, *, password: str | None = None, identifier: str | None = None) -> aiomqtt.Client:
        """A client as that user, not yet connected."""
        return aiomqtt.Client(
            "127.0.0.1",
            self.port,
            username=user,
            password=self.passwords.get(user, "unknown") if password is None else password,
            identifier=user if identifier is None else identifier,
            protocol=self.protocol,
            timeout=5,
        )


Start = Callable[[dict[str, str]], AbstractAsyncContextManager[RunningBroker]]


@asynccontextmanager
async def _mosquitto(folder: Path, passwords: dict[str, str]) -> AsyncIterator[RunningBroker]:
    hashes = {user: hash_password(password) for user, password in passwords.items()}
    servers = [user for user in passwords if user.startswith("server-")]
    (folder / "acl").write_text(acl_file(servers, []))
    (folder / "passwords").write_text(password_file(hashes.items()))
    lines = SAMPLE.read_text().replace("/etc/mosquitto/muster", str(folder)).splitlines()
    broker = Mosquitto(folder, "\n".join(line for line in lines if not line.startswith(("listener", "persistence "))))
    broker.start()
    try:
        yield RunningBroker(broker.port, passwords, aiomqtt.ProtocolVersion.V5, folder, reload=broker.reload)
    finally:
        broker.stop()


@asynccontextmanager
async def _amqtt(folder: Path, passwords: dict[str, str]) -> AsyncIterator[RunningBroker]:
    hashes = {user: hash_password(password) for user, password in passwords.items()}
    running = RunningBroker(0, passwords, aiomqtt.ProtocolVersion.V311, folder)

    async def hash_of(user: str) -> str | None:
        return None if user in running.revoked else hashes.get(user)

    embedded = EmbeddedBroker("127.0.0.1", 0, Accounts(hash_of, lambda: frozenset(running.revoked)))
    await embedded.start()
    running.port = embedded.port
    try:
        yield running
    finally:
        await embedded.shutdown()


@pytest.fixture
def start_mosquitto(tmp_path: Path) -> Start:
    """Start Mosquitto from the sample in deploy/ with these users and passwords."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    return lambda passwords: _mosquitto(tmp_path, passwords)


@pytest.fixture
def start_amqtt(tmp_path: Path) -> Start:
    """Start the embedded broker with these users and passwords."""
    return lambda passwords: _amqtt(tmp_path, passwords)


@pytest.fixture(params=["mosquitto", "amqtt"])
def start_broker(request: pytest.FixtureRequest) -> Start:
    """Start either broker with these users and passwords."""
    start: Start = request.getfixturevalue(f"start_{request.param}")
    return start


@pytest.fixture
def everybody() -> dict[str, str]:
    """Three gateways and two server processes with their passwords."""
    return {
        name: f"secret-of-{name}"
        for name in ("gw-aaaaaaaaaa", "gw-bbbbbbbbbb", "gw-cccccccccc", "server-1", "server-2")
    }
