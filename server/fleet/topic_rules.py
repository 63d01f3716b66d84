"""Who may say and hear what on the broker: one set of rules for Mosquitto's ACL file and for the embedded broker.

Source: security.md section 3. A gateway speaks below ``gw/<its id>/up/`` and hears below ``gw/<its id>/down/``;
a server process hears what all gateways say and speaks to all of them.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum


class Act(Enum):
    """What a client does with a topic; the values are Mosquitto's words."""

    PUBLISH = "write"
    RECEIVE = "read"


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows ``act`` on topics that match ``pattern``, where ``%u`` stands for the user's own name."""

    act: Act
    pattern: str


SERVER_RULES = (
    Rule(Act.RECEIVE, "gw/+/up/#"),
    Rule(Act.PUBLISH, "gw/+/down/#"),
    Rule(Act.RECEIVE, "$SYS/broker/#"),
)
EVERY_USER_RULES = (
    Rule(Act.PUBLISH, "gw/%u/up/#"),
    Rule(Act.RECEIVE, "gw/%u/down/#"),
)

_SERVER = re.compile(r"server-[0-9]{1,4}\Z")
_NAME = re.compile(r"[a-z0-9-]+\Z")


def may(user: str, act: Act, topic: str, revoked: Collection[str] = ()) -> bool:
    """Whether ``user`` may publish on, or receive from, the topic (no wildcards)."""
    if not _NAME.match(user) or user in revoked:
        return False
    rules = (*SERVER_RULES, *EVERY_USER_RULES) if _SERVER.match(user) else EVERY_USER_RULES
    return any(rule.act is act and matches(rule.pattern.replace("%u", user), topic) for rule in rules)


def may_subscribe(user: str, topic_filter: str, revoked: Collection[str] = ()) -> bool:
    """Whether the filter asks for nothing that ``user`` may not receive."""
    if not _NAME.match(user) or user in revoked:
        return False
    rules = (*SERVER_RULES, *EVERY_USER_RULES) if _SERVER.match(user) else EVERY_USER_RULES
    patterns = [rule.pattern.replace("%u", user) for rule in rules if rule.act is Act.RECEIVE]
    return any(covers(pattern, topic_filter) for pattern in patterns)


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter matches a topic (MQTT 3.1.1 section 4.7); ``$`` topics only by a filter that names them."""
    if topic.startswith("$") and not pattern.startswith("$"):
        return False
    levels, parts = pattern.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True  # also the parent level: sport/# matches sport
        if index >= len(parts) or level not in ("+", parts[index]):
            return False
    return len(levels) == len(parts)


def covers(pattern: str, topic_filter: str) -> bool:
    """Whether every topic that ``topic_filter`` matches is matched by ``pattern`` too."""
    levels, parts = pattern.split("/"), topic_filter.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(parts) or parts[index] == "#":
            return False
        if level != "+" and level != parts[index]:
            return False
    return len(levels) == len(parts)


def acl_file(servers: Iterable[str], revoked: Iterable[str]) -> str:
    """Mosquitto's ``acl_file``: a block for each server process, a denial for each revoked gateway, the patterns."""
    rights = "\n".join(f"topic {rule.act.value} {rule.pattern}" for rule in SERVER_RULES)
    blocks = (
        "# Written by `muster server broker acl`; edits are overwritten.",
        *(f"user {user}\n{rights}" for user in sorted(servers)),
        *(f"user {user}\ntopic deny gw/{user}/#" for user in sorted(revoked)),
        "\n".join(f"pattern {rule.act.value} {rule.pattern}" for rule in EVERY_USER_RULES),
    )
    return "\n\n".join(blocks) + "\n"


def password_file(hashes: Iterable[tuple[str, str]]) -> str:
    """Mosquitto's ``password_file`` of users and their ``$7$`` hashes."""
    return "".join(f"{user}:{stored}\n" for user, stored in sorted(hashes))
