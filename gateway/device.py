"""What a person can ask of one terminal: who are you, what time is it, who is enrolled, what is in your log.

A driver that can answer has, beside the members of ``gateway.driver.Driver``, those of ``Manager``; one that knows
captured messages, dumps or exports has those of ``Decoder``; one that recognises its devices has those of ``Finder``.
Each is looked up by its methods, so a third party's driver may have any of them or none.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Protocol, runtime_checkable

from gateway.driver import Terminal
from gateway.profile import Profile
from shared.clock import Clocks, WallMs
from shared.errors import ConfigError
from shared.keys import Event


class Ability(StrEnum):
    """What a family lets a gateway do; a generated table shows it."""

    INFO = "info"
    CLOCK = "clock"
    SET_CLOCK = "set_clock"
    USERS = "users"
    WRITE_USERS = "write_users"
    LOG = "log"
    """Reads the log on request."""
    WATCH = "watch"
    """Reports punches as they happen."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a terminal says of itself; None and left out where it does not say."""

    serial: str | None = None
    model: str | None = None
    firmware: str | None = None
    users: int | None = None
    user_capacity: int | None = None
    log_used: int | None = None
    log_capacity: int | None = None
    facts: dict[str, str] = field(default_factory=dict)
    """Further facts under the terminal's own names; no secrets."""


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """The terminal's wall clock and the gateway's at one instant."""

    wall: datetime
    """Naive, in the terminal's zone."""
    gateway_ms: WallMs
    drift_ms: int
    """Terminal minus gateway; half the round trip is taken out."""


@dataclass(frozen=True, slots=True)
class DeviceUser:
    """Somebody enrolled at a terminal: number, name, card and nothing more."""

    number: str
    name: str = ""
    card: str = ""
    enabled: bool = True


class Device:
    """One open conversation. What a family can not do is refused with a sentence that says so."""

    family = "device"
    abilities: frozenset[Ability] = frozenset()
    at_once = 1
    """Users that may be put at one time."""

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        raise self._cannot("tell about itself")

    async def clock(self) -> DeviceClock:
        """Its clock beside ours."""
        raise self._cannot("tell its time")

    async def set_clock(self, wall: datetime) -> None:  # noqa: ARG002 - for those who can
        """Set its clock to that naive time of its zone."""
        raise self._cannot("have its clock set from here")

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number."""
        raise self._cannot("list its users")

    async def put_user(self, user: DeviceUser) -> None:  # noqa: ARG002 - for those who can
        """Add a user, or change name, card and whether he may punch; templates and passwords stay as they are."""
        raise self._cannot("take users from here")

    def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first; nothing is stored and no cursor moves."""
        raise self._cannot("be read on request")

    def watch(self) -> AsyncIterator[Event]:
        """Punches as they happen, until the conversation is closed."""
        raise self._cannot("report punches as they happen")

    def _cannot(self, what: str) -> ConfigError:
        return ConfigError(f"a terminal of family {self.family} can not {what}; its README says what it can do")


@dataclass(frozen=True, slots=True)
class HealthFact:
    """Something a terminal told that is no punch: a stable code and its parameters."""

    code: str
    detail: dict[str, str | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of a capture that could not be read, with its bytes."""

    code: str
    text: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one captured message, dump or export says."""

    kind: str
    """The family's name of the message, such as ``ATTLOG`` or ``log``."""
    events: tuple[Event, ...] = ()
    health: tuple[HealthFact, ...] = ()
    problems: tuple[Trouble, ...] = ()


@runtime_checkable
class Manager(Protocol):
    """A driver with which a person can talk to one terminal."""

    abilities: frozenset[Ability]

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Connect; ConfigError for what a person has to mend (key, account), RetryableError when nobody answers."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """A driver that reads captured messages, log dumps and exports without a network."""

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What ``data`` says, message by message; ``terminal`` stands in where the data names no serial number.

        DataError when nothing in it is of this family.
        """
        ...


@runtime_checkable
class Finder(Protocol):
    """A driver that recognises its devices on a network."""

    ports: tuple[int, ...]
    """TCP ports on which such a device listens by default."""

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """Ask without logging in; None when it is something else. Never tries a password."""
        ...


class Scrub(Protocol):
    """Takes secrets and names out of one connection that is recorded."""

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The messages that this chunk completes, without keys, passwords, names, cards, templates and photos.

        DataError when it is not this family's protocol: then nothing more is recorded.
        """
        ...


@runtime_checkable
class Recorder(Protocol):
    """A driver whose conversations may be recorded and given away."""

    calls_us: bool
    """The terminal is the one that connects."""

    def scrub(self) -> Scrub:
        """For one connection."""
        ...


def serves_one(driver: object) -> bool:
    """Whether terminals of that family talk to one client at a time: drivers say so by ``one_session = True``."""
    return bool(getattr(driver, "one_session", False))
