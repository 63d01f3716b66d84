"""A terminal with an HTTP server that is asked again and again: log in, poll, tell IT how it goes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config import TerminalConfig
from gateway.driver import DriverContext, Terminal, TerminalState
from gateway.transports.http_client import Account, HttpClient, Login, RefusedError, Reply, base_url, read_account
from gateway.transports.source import Source, problem_of
from shared.clock import DeviceSeconds
from shared.errors import ConfigError, DataError, MusterError, RetryableError

IDENTIFY_S = 2.0
IDENTIFY_LIMIT = 64 * 1024


class HttpLogin:
    """How to talk to one terminal; ``probe`` is a path that wants the login, asked without a password first."""

    def __init__(self, terminal: Terminal, probe: str, timeout_s: float | None = None) -> None:
        config, link = terminal.config, terminal.profile.link
        if link.transport != "http":
            raise ConfigError(f"profile {config.profile}: link.transport is {link.transport!r}, expected http")
        self._base = base_url(config, link.port)
        self._timeout_s = timeout_s or link.timeout_s
        self._config: TerminalConfig = config
        self._probe = probe
        self._kind: Login = "digest"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[HttpClient]:
        """An open client; a terminal that wants Basic gets it after one question without a password."""
        account = self._account()
        if account is not None and self._kind == "digest" and await self._wants_basic():
            self._kind = "basic"
        kind: Login = self._kind if account is not None else "none"
        ca_file, timeout_s = self._config.ca_file, self._timeout_s
        async with HttpClient(self._base, account, login=kind, timeout_s=timeout_s, ca_file=ca_file) as client:
            yield client

    def _account(self) -> Account | None:
        return read_account(self._config) if self._config.key_file is not None else None

    async def _wants_basic(self) -> bool:
        async with HttpClient(self._base, timeout_s=self._timeout_s, ca_file=self._config.ca_file) as client:
            try:
                await client.get(self._probe)
            except RefusedError as error:
                return error.reply.headers.get("www-authenticate", "").lower().startswith("basic")
        return False


class PollTask(ABC):
    """Keeps one terminal read; ``run`` ends only with an error."""

    def __init__(
        self, family: str, terminal: Terminal, context: DriverContext, probe: str, timeout_s: float | None = None
    ) -> None:
        self.family, self.terminal, self.context = family, terminal, context
        self.login = HttpLogin(terminal, probe, timeout_s)
        self.source = Source.of(terminal)
        self.state.serial = terminal.config.serial

    @property
    def state(self) -> TerminalState:
        """What IT sees."""
        return self.terminal.state

    @property
    def key(self) -> str:
        """Key of the cursor."""
        return f"{self.family}:{self.source.serial}"

    @abstractmethod
    async def poll(self, client: HttpClient) -> None:
        """Read what is new and commit it."""

    @abstractmethod
    async def begin(self, client: HttpClient) -> None:
        """Get to know the terminal before the first poll."""

    async def pause(self) -> None:
        """Wait for the time of the next poll."""
        await asyncio.sleep(self.terminal.config.poll_s)

    async def run(self) -> None:
        """Poll after poll; ConfigError for what a person has to mend, RetryableError for everything else."""
        try:
            async with self.login.client() as client:
                await self.begin(client)
                while True:
                    await self.poll(client)
                    await self.pause()
        except RefusedError:
            self.state.state, self.state.problem = "config_error", "login_refused"
            raise
        except ConfigError:
            self.state.state, self.state.problem = "config_error", "refused"
            raise
        except DataError as error:
            self.state.state, self.state.problem = "offline", "bad_request"
            raise RetryableError(f"terminal {self.terminal.config.name}: {error}") from error
        except MusterError:
            self.state.state = "offline"
            raise

    def name(self, serial: str | None, firmware: str | None = None) -> None:
        """Take the serial number that the terminal tells; its configured one only where it tells none."""
        self.source = Source.of(self.terminal, serial)
        self.state.serial = serial or self.terminal.config.serial
        self.state.firmware = firmware or self.state.firmware

    def show(self, second: DeviceSeconds | None = None) -> None:
        """Tell that a poll went well; ``second`` is a clock just read."""
        self.state.state = "online"
        self.state.last_contact_ms = self.context.clocks.wall_ms()
        problem = problem_of(self.state, second)
        configured = self.terminal.config.serial
        if problem is None and configured and configured != self.state.serial:
            problem = "other_serial"
        self.state.problem = problem


async def ask_stranger(host: str, port: int, path: str, question: bytes | None = None) -> bytes | None:
    """What a device answers to somebody who does not log in; None when it does not, or when nobody is there."""
    name = f"[{host}]" if ":" in host else host
    try:
        async with HttpClient(f"http://{name}:{port}", timeout_s=IDENTIFY_S) as client:
            method = "GET" if question is None else "POST"
            reply = await client.request(method, path, content=question, limit=IDENTIFY_LIMIT)
    except MusterError:
        return None
    return reply.body if reply.status == 200 else None


def checked(reply: Reply, what: str) -> bytes:
    """The body of a sound answer; ConfigError for what an account may not do, RetryableError for the rest."""
    if reply.status == 200:
        return reply.body
    if reply.status == 403:
        raise ConfigError(f"{what}: forbidden; give the account the right to read events")
    raise RetryableError(f"{what}: status {reply.status}, expected 200")
