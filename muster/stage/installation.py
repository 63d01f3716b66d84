"""One server with embedded broker and SQLite, and gateways with their terminals, all in one folder."""

import asyncio
import json
import random
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from muster.stage.processes import Child
from shared.clock import WallMs
from shared.errors import ConfigError, RetryableError

if TYPE_CHECKING:
    from server.config import BrokerConfig
    from server.fleet.gateways import Credentials
    from server.services.company import Company

HOST = "127.0.0.1"
ACTOR = "cli"
BROKER_USER = "server-1"
START_S = 30.0
_ports = iter(random.SystemRandom().sample(range(20_000, 32_000), 12_000))


@dataclass(frozen=True, slots=True)
class Device:
    """A terminal or scanner: what the server is told of it, and its table in the gateway's settings."""

    serial: str
    name: str
    site: str
    profile: str
    group: str
    """Terminals of one group share their user numbers."""
    kind: Literal["terminal", "scanner"] = "terminal"
    settings: dict[str, str | int | float] = field(default_factory=dict)
    key: str = ""
    """What stands in its key file; without it there is none."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway and its devices; ``push_ports`` says, by family, where terminals that call it knock."""

    name: str
    site: str
    devices: tuple[Device, ...]
    push_ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server of its own listens."""

    http: int
    broker: int


class Installation:
    """Folder, settings and processes; ``ports`` is None when the server is somebody else's and runs already."""

    def __init__(self, folder: Path, server_settings: Path, ports: Ports | None) -> None:
        self.folder = folder
        self.server_settings = server_settings
        self.ports = ports
        self.gateways: list[Child] = []
        self.gateway_ids: list[str] = []
        self.server: Child | None = None
        if ports is not None:
            self.server = Child("server", folder / "logs/server.log", *_run_server(server_settings))

    async def prepare(self, company: "Company", gateways: Sequence[Gateway], zone: str, now_ms: WallMs) -> None:
        """Schema, people, gateways and their settings; safe on an empty folder or beside a running server."""
        from server.config import load_config
        from server.fleet.gateways import add_gateway
        from server.fleet.terminals import TerminalFacts, assign_terminal
        from server.services import calendars
        from server.services.company import load_company
        from server.services.keys import add_master, ensure_keys, masters_of, open_database
        from server.store.log_queries import Entry
        from server.store.migrate import upgrade

        config = load_config(self.server_settings)
        if self.ports is not None:
            upgrade(config.database.url, masters_of(config))
            if not masters_of(config)():
                add_master(config)
        db = open_database(config)
        try:
            if self.ports is not None:
                await ensure_keys(db, config.keys.suite, Entry(now_ms, ACTOR, "keys.init", ""))
            # Before there are people: afterwards every holiday of years would be worked out again for each.
            await calendars.ensure_defaults(db, config, now_ms)
            await load_company(db, ACTOR, company, now_ms)
            for number, plan in enumerate(gateways, start=1):
                made = await add_gateway(db, ACTOR, plan.name, plan.site, now_ms)
                for device in plan.devices:
                    facts = TerminalFacts(
                        device.serial, device.kind, device.name, device.group, device.site, device.profile
                    )
                    await assign_terminal(db, ACTOR, facts, made.gateway, now_ms)
                home = self.folder / f"gateway-{number}"
                settings = _write_gateway(home, made, plan, zone, config.broker)
                self.gateway_ids.append(made.gateway)
                log = self.folder / f"logs/gateway-{number}.log"
                self.gateways.append(Child(plan.name, log, "gateway", "--config", str(settings)))
        finally:
            await db.close()

    @property
    def url(self) -> str:
        """Address of the page of a server of our own; empty when it is somebody else's."""
        return f"http://{HOST}:{self.ports.http}" if self.ports else ""

    async def start_server(self) -> None:
        """Start the server if it is ours, and return when it answers; RetryableError when it died or took too long."""
        if self.server is None or self.ports is None:
            return
        await self.server.start()
        deadline = time.monotonic() + START_S
        while not await _listens(self.ports.http):
            self.server.check()
            if time.monotonic() > deadline:
                raise RetryableError(f"the server does not answer after {START_S:g} s; see {self.server.log}")
            await asyncio.sleep(0.1)

    async def start_gateways(self) -> None:
        """Start every gateway, and return when the server has heard of all; RetryableError as with the server."""
        from server.config import load_config
        from server.services.keys import open_database
        from server.store import fleet_queries

        for gateway in self.gateways:
            await gateway.start()
        deadline = time.monotonic() + START_S
        db = open_database(load_config(self.server_settings))
        try:
            while True:
                self.check()
                async with db.reading() as connection:
                    rows = await fleet_queries.gateway_rows(connection)
                heard = {row.id for row in rows if row.last_seen_ms is not None}
                if heard.issuperset(self.gateway_ids):
                    return
                if time.monotonic() > deadline:
                    logs = ", ".join(str(gateway.log) for gateway in self.gateways)
                    raise RetryableError(f"not every gateway has reached the server after {START_S:g} s; see {logs}")
                await asyncio.sleep(0.1)
        finally:
            await db.close()

    async def stop(self) -> bool:
        """Gateways first, so that the server still takes what they hold; whether all ended cleanly."""
        ended = [await child.stop() for child in [*self.gateways, *([self.server] if self.server else [])]]
        return all(ended)

    def check(self) -> None:
        """RetryableError when a process has died."""
        for child in [*self.gateways, *([self.server] if self.server else [])]:
            child.check()


def own_installation(folder: Path, zone: str, http_port: int = 0) -> Installation:
    """An installation in an empty folder with a server of its own; ConfigError when the folder holds something.

    The page takes ``http_port`` where it is free, else another one.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name a folder that does not exist yet")
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(http_port if _is_free(http_port) else free_port(), free_port())
    passwords = folder / "broker-passwords"
    passwords.touch(mode=0o600)
    passwords.write_text(f"{BROKER_USER}:{secrets.token_urlsafe(24)}\n")
    settings = folder / "server.toml"
    settings.write_text(
        f'data = "server"\n[broker]\nembedded = true\nhost = "{HOST}"\nport = {ports.broker}\nuser = "{BROKER_USER}"\n'
        f'[http]\nhost = "{HOST}"\nport = {ports.http}\n[site]\nzone = "{zone}"\n'
    )
    (folder / "server").mkdir()
    return Installation(folder, settings, ports)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on; never the same twice.

    It lies below those that the kernel gives to whoever asks for any, so nobody is given it before it is used.
    """
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    if port == 0:
        return False
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _run_server(settings: Path) -> tuple[str, ...]:
    return ("server.cli", "run", "--config", str(settings))


def _write_gateway(home: Path, made: "Credentials", plan: Gateway, zone: str, broker: "BrokerConfig") -> Path:
    home.mkdir(parents=True)
    _write_secret(home / "password", made.password)
    lines = [
        f"id = {json.dumps(made.gateway)}", 'data = "outbox"', f"zone = {json.dumps(zone)}", "health_s = 2.0",
        "[broker]", f"host = {json.dumps(broker.host)}", f"port = {broker.port}", 'password_file = "password"',
    ]  # fmt: skip
    for family, port in plan.push_ports.items():
        lines += [f"[push.{json.dumps(family)}]", f"host = {json.dumps(HOST)}", f"port = {port}"]
    for number, device in enumerate(plan.devices, start=1):
        table = {"name": device.name, "serial": device.serial, "profile": device.profile, **device.settings}
        if device.key:
            table["key_file"] = f"terminal-{number}.key"
            _write_secret(home / f"terminal-{number}.key", device.key)
        lines += ["[[terminal]]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items())]
    settings = home / "gateway.toml"
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return settings


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
