"""HTTP calls to a source: to its own host only, at an address that was checked, never more than it bears."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from server.connectors.errors import ReplyError
from server.connectors.fetch.body import read_body
from server.connectors.fetch.retry import RETRIED
from server.connectors.fetch.secrets import Secrets
from server.connectors.reply import same_host
from server.connectors.source_file import Source

WHOLE = 10
"""Times ``timeout_s``, which is between two pieces: what drips in for longer is given up."""
Sleep = Callable[[float], Awaitable[None]]


class LaterError(ReplyError):
    """The same call may work later; ``retry_after_s`` is what the source asks for."""

    def __init__(self, message: str, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, code, retry=True)
        self.retry_after_s = retry_after_s


class SignedOutError(ReplyError):
    """HTTP 401: who asks is not, or no longer, signed in."""

    def __init__(self) -> None:
        super().__init__("the source does not let us in (HTTP 401)", "signed_out", retry=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A call; ``url`` is absolute, or begins with a slash."""

    url: str
    method: str = "GET"
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Body of a success, where it came from, and where its ``Link`` header says that it goes on."""

    body: bytes
    url: str
    link: str | None = None


class Client:
    """Calls to one source, one after the other."""

    def __init__(self, source: Source, secrets: Secrets, sleep: Sleep = asyncio.sleep) -> None:
        self._source, self._secrets, self._sleep = source, secrets, sleep
        self.base = secrets.fill(source.base_url or "", secret=False).rstrip("/")
        self._http = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=source.limits.timeout_s)
        self._pause_s = 60 / source.limits.requests_per_minute
        self._next = 0.0

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, request: Request) -> Answer:
        """The answer; ReplyError when it is none: LaterError, SignedOutError, or one that no repetition mends."""
        url = self._url(request.url)
        await self._take_turn()
        address = await self._address(url)
        headers = {
            **request.headers,
            "Host": url.netloc.decode(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        params = {name: value for name, value in request.params.items() if value is not None}
        built = self._http.build_request(
            request.method,
            url.copy_with(host=address).copy_merge_params(params) if params else url.copy_with(host=address),
            json=request.json,
            data=request.form,
            headers=headers,
            extensions={"sni_hostname": url.host} if url.scheme == "https" else {},
        )
        try:
            async with asyncio.timeout(self._source.limits.timeout_s * WHOLE):
                return await self._read(built, url)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise LaterError(f"no answer within {self._source.limits.timeout_s} s", "timeout") from error
        except httpx.TransportError as error:
            told = self._secrets.mask(str(error) or type(error).__name__)
            raise LaterError(f"not reached: {told}", "unreachable") from error

    async def _read(self, built: httpx.Request, url: httpx.URL) -> Answer:
        answer = await self._http.send(built, stream=True)
        try:
            if answer.is_redirect:
                raise ReplyError(
                    f"sends us on (HTTP {answer.status_code}): write its new address into base_url",
                    "redirected",
                    retry=False,
                )
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise SignedOutError
            if answer.status_code in RETRIED:
                raise LaterError(f"HTTP {answer.status_code}", "busy", _retry_after_s(answer.headers))
            if not answer.is_success:
                raise ReplyError(f"HTTP {answer.status_code}", "refused", retry=answer.status_code >= 500)
            body = await read_body(answer, self._source.limits.max_page_bytes)
            return Answer(body, str(url), answer.links.get("next", {}).get("url"))
        finally:
            await answer.aclose()

    def _url(self, target: str) -> httpx.URL:
        """Absolute; ReplyError for another host than the file names."""
        full = target if "://" in target else self.base + target
        if not same_host(self._source.model_copy(update={"base_url": self.base}), full):
            raise ReplyError(
                f"{urlsplit(full).hostname}: not the host of the source; list it in allow_hosts if that is right",
                "foreign_host",
                retry=False,
            )
        return httpx.URL(full)

    async def _address(self, url: httpx.URL) -> str:
        """Address that is called, looked up once: between a check and a call it can not become another one."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise LaterError(f"{url.host}: no such host", "unreachable") from error
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not all(may_call(url.host, address, self._source.lan_hosts) for address in addresses):
            raise ReplyError(
                f"{url.host} leads to an address that is not public; list it in lan_hosts if it is your own",
                "private_address",
                retry=False,
            )
        return str(addresses[0])

    async def _take_turn(self) -> None:
        now = time.monotonic()
        wait_s = self._next - now
        self._next = max(now, self._next) + self._pause_s
        if wait_s > 0:
            await self._sleep(wait_s)


def may_call(
    host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, lan_hosts: tuple[str, ...] = ()
) -> bool:
    """Whether a source may be called there.

    An address that the file itself names, or a name that it lists as the company's own, may be private; what a public
    name leads to may not. Nobody's data is at link-local addresses: clouds answer there with their keys.
    """
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
        return False
    return mapped.is_global or _is_address(host) or host == "localhost" or host in lan_hosts


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3), which is one by the clock that wrote ``Date``."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])
    except (KeyError, TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
