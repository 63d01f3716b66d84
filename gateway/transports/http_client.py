"""A terminal's own HTTP server as its driver sees it: answers within a time and a size, errors by what to do next.

httpx does the work, loaded when the first client opens. Redirects, proxies and compressed answers are left alone: none
of them belongs between a gateway and a terminal, and each could carry the password or a flood of bytes elsewhere.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

from gateway.config import TerminalConfig
from shared.errors import ConfigError, DataError, RetryableError

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer; 1,024 rows of the wordiest family are about 1 MiB."""
CONNECTIONS = 2
"""One for a stream of events, one for questions."""
REFUSAL_LIMIT = 16 * 1024
"""Bytes that are read of the page that comes with a refused login."""

Login = Literal["none", "basic", "digest"]


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """Who logs in; without a ``repr``, so that no password gets into a log."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete answer."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is shown as replacement characters."""
        return self.body.decode("utf-8", "replace")


class RefusedError(ConfigError):
    """The terminal does not take this login (401). Never tried again: accounts lock after a few wrong passwords."""

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message)
        self.reply = reply


def read_account(config: TerminalConfig) -> Account:
    """User and password from the terminal's ``key_file``; ConfigError never repeats what is in it."""
    path = config.key_file
    if path is None:
        raise ConfigError(f"terminal {config.name}: set key_file to a file with user:password, mode 0600")
    try:
        text = path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: user and password can not be read ({type(error).__name__})") from error
    user, colon, password = text.partition(":")
    if not colon or not user or not password or "\n" in text:
        raise ConfigError(f"{path}: expected one line, user:password")
    return Account(user, password)


def base_url(config: TerminalConfig, port: int | None = None) -> str:
    """``http://host:port`` of a terminal; ``host`` may begin with ``https://``. ``port`` is the profile's."""
    host = config.host
    if not host:
        raise ConfigError(f"terminal {config.name}: set `host` to its address, such as 192.168.1.64")
    scheme, separator, name = host.rpartition("://")
    scheme = scheme.lower() or "http"
    if (separator and scheme not in ("http", "https")) or not name or any(c in name for c in "/@?# "):
        raise ConfigError(f"terminal {config.name}: host {host!r}: expected a name or address, or https:// before it")
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    chosen = config.port or (port if scheme == "http" else None)
    return f"{scheme}://{name}:{chosen}" if chosen else f"{scheme}://{name}"


class HttpClient:
    """The HTTP conversation with one terminal, inside ``async with``.

    ``timeout_s`` holds for each step of an exchange, three times of it for the whole. With ``https`` the certificate is
    checked against the machine's authorities, or against ``ca_file`` alone, whatever name it carries. ``trust_any``
    checks nothing, and is for asking without an account who somebody is.
    """

    def __init__(
        self,
        base: str,
        account: Account | None = None,
        *,
        login: Login = "digest",
        timeout_s: float = 10.0,
        ca_file: Path | None = None,
        headers: Mapping[str, str] | None = None,
        trust_any: bool = False,
    ) -> None:
        self.base = base
        self.timeout_s = timeout_s
        self._account, self._login, self._ca_file = account, login, ca_file
        self._trust_any = trust_any and account is None
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "muster-gateway", **(headers or {})}
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        library = _httpx()
        auth: httpx.Auth | None = None
        if self._account is not None and self._login != "none":
            kind = library.DigestAuth if self._login == "digest" else library.BasicAuth
            auth = kind(self._account.user, self._account.password)
        self._client = library.AsyncClient(
            base_url=self.base,
            auth=auth,
            headers=self._headers,
            timeout=self.timeout_s,
            verify=self._trust(),
            limits=library.Limits(max_connections=CONNECTIONS, max_keepalive_connections=1),
            follow_redirects=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, limit: int = BODY_LIMIT) -> Reply:
        """The answer to a GET, whatever its status but 401; errors as of ``request``."""
        return await self.request("GET", path, params, limit=limit)

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        content: bytes | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
    ) -> Reply:
        """The answer to one request, whatever its status but 401.

        RefusedError for a login that is not taken, RetryableError when nobody answers in time, DataError ``too_large``
        for more than ``limit`` bytes.
        """
        for _ in range(2):
            reply = await self._once(method, path, params, content=content, kind=kind, headers=headers, limit=limit)
            if reply.status != 401:
                return reply
            if not _is_stale(reply):
                raise self._refused(reply)
        # A nonce that expired under way says nothing against the password.
        raise RetryableError(f"{self.base}: every login is out of date before it arrives")

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str | int] | None = None, silence_s: float = 60.0
    ) -> AsyncIterator[tuple[Reply, AsyncIterator[bytes]]]:
        """An answer that does not end: its head (with an empty body) and its bytes as they come.

        RetryableError after ``silence_s`` without a byte, and when the terminal closes the connection.
        """
        client = self._opened()
        timeout = _httpx().Timeout(self.timeout_s, read=silence_s)
        with self._translated():
            async with client.stream("GET", path, params=params, timeout=timeout) as answer:
                head = Reply(answer.status_code, _lower(answer.headers), b"")
                if answer.status_code == 401:
                    raise self._refused(Reply(401, head.headers, await self._body(answer, REFUSAL_LIMIT)))
                yield head, answer.aiter_raw()

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        *,
        content: bytes | None,
        kind: str | None,
        headers: Mapping[str, str] | None,
        limit: int,
    ) -> Reply:
        client = self._opened()
        chosen = {**({"Content-Type": kind} if kind else {}), **(headers or {})}
        with self._translated():
            async with (
                asyncio.timeout(3 * self.timeout_s),
                client.stream(method, path, params=params, content=content, headers=chosen) as answer,
            ):
                return Reply(answer.status_code, _lower(answer.headers), await self._body(answer, limit))

    async def _body(self, answer: "httpx.Response", limit: int) -> bytes:
        found = bytearray()
        async for piece in answer.aiter_raw():
            found += piece
            if len(found) > limit:
                raise DataError(f"{self.base}: the answer is larger than {limit} bytes", code="too_large")
        return bytes(found)

    def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            raise RetryableError(f"{self.base}: the conversation is closed")
        return self._client

    def _trust(self) -> ssl.SSLContext | bool:
        if self._trust_any or not self.base.startswith("https:"):
            return False  # for http it saves the 20 ms and 1 MiB of loading the authorities
        try:
            trust = ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{self._ca_file}: no certificate in PEM form ({type(error).__name__})") from error
        trust.check_hostname = self._ca_file is None
        return trust

    def _translated(self) -> "_Translated":
        return _Translated(self.base)

    def _refused(self, reply: Reply) -> RefusedError:
        asked = reply.headers.get("www-authenticate", "").partition(" ")[0].lower()
        if self._account is None:
            why = "a user and a password are wanted; set key_file"
        elif asked and asked != self._login:
            why = f"the terminal asks for a login of kind {asked!r}, expected {self._login!r}"
        else:
            why = f"user {self._account.user!r} or the password is refused; correct key_file, then start again"
        return RefusedError(f"{self.base}: {why}. It is not tried again, since accounts lock", reply)


class _Translated:
    """Turns what httpx raises into our errors."""

    def __init__(self, base: str) -> None:
        self._base = base

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        library = _httpx()
        if isinstance(error, (library.TimeoutException, TimeoutError)):
            raise RetryableError(f"{self._base}: no answer in time") from error
        if isinstance(error, (library.InvalidURL, library.UnsupportedProtocol)):
            raise ConfigError(f"{self._base}: {error}; set `host` to its address") from error
        if isinstance(error, library.RequestError):
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConfigError(
                    f"{self._base}: its certificate is not trusted; save it as a PEM file and set ca_file to it"
                ) from error
            raise RetryableError(f"{self._base}: {_reason(error)}") from error
        if isinstance(error, NotImplementedError):  # httpx: qop=auth-int
            raise ConfigError(f"{self._base}: asks for a digest login of a kind that is not built") from error


def _reason(error: Exception) -> str:
    text = str(error)[:200]
    return f"{type(error).__name__}{': ' if text else ''}{text}"


def _lower(headers: "httpx.Headers") -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _is_stale(reply: Reply) -> bool:
    challenge = reply.headers.get("www-authenticate", "").lower().replace('"', "").replace(" ", "")
    return "stale=true" in challenge


def _httpx() -> ModuleType:
    """httpx, loaded late: a gateway whose terminals need no HTTP saves 15 MiB."""
    try:
        import httpx
    except ImportError as error:
        raise ConfigError(
            "terminals with HTTP need httpx, which is not installed: pip install 'muster[gateway]'"
        ) from error
    return httpx
