"""Group robots of DingTalk, WeCom and Feishu: what is posted, how it is signed, what their answers mean.

A vendor answers HTTP 200 also when it refuses: the code in the body decides.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import quote

import msgspec

from shared.clock import WallMs

Robot: TypeAlias = Literal["dingtalk", "wecom", "feishu"]
ROBOTS: tuple[Robot, ...] = get_args(Robot)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a vendor takes: bytes of a message, messages a minute, and of one go."""

    size: int
    per_minute: int
    at_once: int


HOSTS: Mapping[Robot, str] = {
    "dingtalk": "oapi.dingtalk.com",
    "wecom": "qyapi.weixin.qq.com",
    "feishu": "open.feishu.cn",
}
LIMITS: Mapping[Robot, Limits] = {
    "dingtalk": Limits(20_000, 20, 20),
    "wecom": Limits(4_096, 20, 20),
    "feishu": Limits(20_000, 100, 5),  # 20 KB of body, the rest is frame
}
_CODES: Mapping[Robot, Mapping[int, str]] = {
    "dingtalk": {310000: "robot_signature", 300001: "robot_address", 130101: "robot_too_many"},
    "wecom": {93000: "robot_address", 45009: "robot_too_many"},
    "feishu": {19021: "robot_signature", 19001: "robot_address", 11232: "robot_too_many"},
}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Message:
    """A notice: one line, the text below it, where to read on."""

    title: str
    text: str
    link: str | None = None
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """What to send where."""

    url: str
    body: bytes


def dingtalk_signature(secret: str, timestamp_ms: WallMs) -> str:
    """Base64 of HMAC-SHA256 over ``timestamp`` in milliseconds, line feed, secret; not yet encoded for a URL."""
    return _signed(secret.encode(), f"{timestamp_ms}\n{secret}".encode())


def feishu_signature(secret: str, timestamp_s: int) -> str:
    """The same with ``timestamp`` in seconds, line feed, secret as the key and an empty message."""
    return _signed(f"{timestamp_s}\n{secret}".encode(), b"")


def post(robot: Robot, url: str, secret: str | None, message: Message, now_ms: WallMs) -> Post:
    """A message in the vendor's form, cut to what it takes."""
    cut = Message(message.title, _cut(message.text, LIMITS[robot].size // 2), message.link, message.link_text)
    match robot:
        case "dingtalk":
            return _dingtalk(url, secret, cut, now_ms)
        case "wecom":
            return Post(url, _json({"msgtype": "markdown", "markdown": {"content": _markdown(cut)}}))
        case "feishu":
            return _feishu(url, secret, cut, now_ms)


def problem(robot: Robot, status: int, body: bytes) -> str | None:
    """Code of what went wrong; None when the vendor took the message."""
    if status == 429:
        return "robot_too_many"
    if status != 200:
        return "robot_status"
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return "robot_answer"
    code = next((answer[name] for name in ("errcode", "code", "StatusCode") if name in answer), None)
    if code == 0:
        return None
    return _CODES[robot].get(code, "robot_refused") if isinstance(code, int) else "robot_answer"


def _dingtalk(url: str, secret: str | None, message: Message, now_ms: WallMs) -> Post:
    if secret:
        sign = quote(dingtalk_signature(secret, now_ms), safe="")
        url = f"{url}&timestamp={now_ms}&sign={sign}"
    return Post(url, _json({"msgtype": "markdown", "markdown": {"title": message.title, "text": _markdown(message)}}))


def _feishu(url: str, secret: str | None, message: Message, now_ms: WallMs) -> Post:
    lines: list[list[dict[str, str]]] = [[{"tag": "text", "text": line}] for line in message.text.split("\n")]
    if message.link:
        lines.append([{"tag": "a", "text": message.link_text, "href": message.link}])
    content = {"post": {"zh_cn": {"title": message.title, "content": lines}}}
    body: dict[str, Any] = {"msg_type": "post", "content": content}
    if secret:
        seconds = now_ms // 1000
        body = {"timestamp": str(seconds), "sign": feishu_signature(secret, seconds), **body}
    return Post(url, _json(body))


def _markdown(message: Message) -> str:
    link = f"\n\n[{message.link_text}]({message.link})" if message.link else ""
    text = message.text.replace("\n", "\n\n")  # a single line feed is none to these
    return f"**{message.title}**\n\n{text}{link}"


def _cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, an ellipsis where something is missing."""
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + _ELLIPSIS


def _signed(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
