"""MQTT topic names; the ACL of both brokers is written from the same segments."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.errors import ConfigError, DataError

Up: TypeAlias = Literal["hello", "ev", "health", "csr", "result"]
Down: TypeAlias = Literal["ack", "cmd", "cert", "time", "config"]

_ID = re.compile(r"gw-[0-9a-f]{10}\Z")
_UP = frozenset({"hello", "ev", "health", "csr", "result"})


@dataclass(frozen=True, slots=True)
class UpTopic:
    """Who sent a message to the server, and what kind it is."""

    gateway: str
    kind: Up


def check_gateway_id(text: str) -> str:
    """The id itself; ConfigError unless it is ``gw-`` and ten lower-case hex characters."""
    if not _ID.match(text):
        raise ConfigError(
            f"gateway id {text!r}: expected 'gw-' and 10 of 0-9 a-f; `muster server gateways add` prints one"
        )
    return text


def up(gateway: str, kind: Up) -> str:
    """Topic on which a gateway speaks."""
    return f"gw/{gateway}/up/{kind}"


def down(gateway: str, kind: Down) -> str:
    """Topic on which a gateway listens."""
    return f"gw/{gateway}/down/{kind}"


def parse_up(topic: str) -> UpTopic:
    """Split a topic of a gateway; DataError when it is none of ours."""
    parts = topic.split("/")
    if len(parts) != 4 or parts[0] != "gw" or parts[2] != "up" or parts[3] not in _UP or not _ID.match(parts[1]):
        raise DataError(f"topic {topic!r}: expected gw/<gateway id>/up/<{'|'.join(sorted(_UP))}>", code="bad_topic")
    return UpTopic(parts[1], parts[3])  # type: ignore[arg-type]  # checked against _UP above
