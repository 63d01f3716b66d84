"""HTTP families that log in once, get a token and carry it with every question until it expires."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from gateway.driver import Terminal
from gateway.transports.http_client import Account, HttpClient, RefusedError, Reply, read_account
from gateway.transports.http_poll import HttpLogin, checked
from shared.errors import ConfigError, DataError, RetryableError

JSON = "application/json"


class SessionLogin(HttpLogin):
    """A client without a login of HTTP itself: the token is the login."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal, probe="/")

    @property
    def account(self) -> Account:
        """User and password of the terminal's ``key_file``."""
        return read_account(self._config)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[HttpClient]:
        """An open client."""
        async with HttpClient(self._base, timeout_s=self._timeout_s, ca_file=self._config.ca_file) as client:
            yield client


class Session(ABC):
    """Logs in before the first question, and again when the token has expired.

    RefusedError as soon as a password is refused: it is not tried again.
    """

    def __init__(self, client: HttpClient, account: Account) -> None:
        self._client, self._account = client, account
        self._token: str | None = None

    @abstractmethod
    def login_message(self, account: Account) -> tuple[str, object]:
        """Path and JSON body of a login."""

    @abstractmethod
    def token_of(self, reply: Reply) -> str | None:
        """The token in the answer to a login; None for a refusal, DataError for something else."""

    @abstractmethod
    def carry(self, token: str) -> tuple[dict[str, str], dict[str, str | int]]:
        """Headers and parameters that bring the token along."""

    async def get(self, path: str, params: Mapping[str, str | int]) -> bytes:
        """The body of a sound answer; errors as of ``checked``."""
        return await self._ask("GET", path, params, None)

    async def post(self, path: str, question: object) -> bytes:
        """The body of a sound answer to a question in JSON; errors as of ``checked``."""
        return await self._ask("POST", path, {}, msgspec.json.encode(question))

    async def _ask(self, method: str, path: str, params: Mapping[str, str | int], content: bytes | None) -> bytes:
        for last in (False, True):
            if self._token is None:
                self._token = await self._log_in()
            headers, more = self.carry(self._token)
            kind = JSON if content is not None else None
            try:
                reply = await self._client.request(
                    method, path, {**params, **more} or None, content=content, kind=kind, headers=headers
                )
            except RefusedError as error:
                self._token = None
                if last:
                    raise ConfigError(
                        f"{self._client.base}{path}: user {self._account.user!r} logs in but may not ask this;"
                        " give the account the right"
                    ) from error
                continue
            return checked(reply, f"{self._client.base}{path}")
        raise RetryableError(f"{self._client.base}{path}: no session")

    async def _log_in(self) -> str:
        path, message = self.login_message(self._account)
        try:
            reply = await self._client.request("POST", path, content=msgspec.json.encode(message), kind=JSON)
        except RefusedError as error:
            raise self._refused(error.reply) from None
        if reply.status in (400, 403):
            raise self._refused(reply)
        try:
            token = self.token_of(reply) if reply.status == 200 else ""
        except DataError as error:
            raise RetryableError(f"{self._client.base}{path}: {error}") from error
        if token is None:
            raise self._refused(reply)
        if not token:
            raise RetryableError(f"{self._client.base}{path}: status {reply.status}, expected 200")
        return token

    def _refused(self, reply: Reply) -> RefusedError:
        return RefusedError(
            f"{self._client.base}: user {self._account.user!r} or the password is refused; correct key_file, then"
            " start again. It is not tried again, since accounts lock",
            reply,
        )
