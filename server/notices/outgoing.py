"""Calls to the outside: only to hosts that are allowed, at addresses that are public, without redirects."""

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from server.notices.robots import HOSTS, Post, Robot
from shared.errors import DataError, RetryableError

TIMEOUT_S = 10.0
LARGEST_ANSWER = 64 * 1024


class NotSentError(RetryableError):
    """It did not get through; ``code`` says why without telling addresses, which hold secrets."""

    def __init__(self, code: str) -> None:
        super().__init__(f"notice not sent: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


def check_address(robot: Robot, url: str, allowed: Collection[str]) -> None:
    """DataError unless it is https to the vendor's host, or an origin that the server's settings allow."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DataError("address: not a URL; copy the robot's webhook address as it is", "robot_address") from error
    if parts.username is None and parts.fragment == "" and not any(letter.isspace() for letter in url):
        if f"{parts.scheme}://{parts.netloc}" in allowed:
            return
        if parts.scheme == "https" and parts.hostname == HOSTS[robot] and port in (None, 443):
            return
    raise DataError(
        f"address: expected https://{HOSTS[robot]}/...; copy the robot's webhook address as it is", "robot_address"
    )


async def send(robot: Robot, post: Post, allowed: Collection[str]) -> Answer:
    """Post it; NotSentError when the host is not public or does not answer."""
    check_address(robot, post.url, allowed)
    url = httpx.URL(post.url)
    origin = f"{url.scheme}://{url.netloc.decode()}"
    headers = {"Content-Type": "application/json; charset=utf-8", "Host": url.netloc.decode()}
    extensions = {"sni_hostname": url.host}  # the certificate is checked against the name, whatever the address
    if origin not in allowed:
        url = url.copy_with(host=await _public_address(url.host))  # resolved once: it can not change in between
    limits = httpx.Timeout(TIMEOUT_S)
    try:
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=limits) as client,
            client.stream("POST", url, content=post.body, headers=headers, extensions=extensions) as answer,
        ):
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise NotSentError("robot_answer")
            if answer.is_redirect:
                raise NotSentError("robot_redirect")
            return Answer(answer.status_code, body)
    except httpx.HTTPError as error:
        raise NotSentError("robot_unreachable") from error


async def _public_address(host: str) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotSentError("robot_unreachable") from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise NotSentError("robot_private_address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet: not private, not of this machine, not one that maps to such."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast
