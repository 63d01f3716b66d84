"""What every driver offers and what it gets.

A driver is found by entry point ``muster.drivers`` (name = family, value = an object with the members of ``Driver``).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.config import PushConfig, TerminalConfig
from gateway.profile import Profile
from shared.clock import Clocks
from shared.keys import Event

ALMOST_FULL_PCT = 90
"""Of its log, from where a terminal may soon lose punches."""
REFUSALS = frozenset({"refused", "login_refused", "account_locked"})
"""Problems of a terminal that answers but does not let us in."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Place in a source's log, opaque to all but its driver; ``key`` (``zk4370:<serial>``) is unique in the gateway."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of events that were put."""

    accepted: int
    repeats: int
    """Recognised by their business key and not stored again."""


class Sink(Protocol):
    """The outbox as a driver sees it."""

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        """Return once events and cursor are committed in one transaction; RetryableError when nothing was stored."""
        ...

    async def cursor(self, key: str) -> bytes | None:
        """The last committed place; None before the first."""
        ...


@dataclass(slots=True)
class TerminalState:
    """What IT sees of one terminal; the driver writes it, health reads it."""

    name: str
    profile: str
    serial: str | None = None
    state: str = "starting"
    """``starting``, ``online``, ``offline``, ``error``, ``config_error``; see also ``shown``."""
    last_contact_ms: int | None = None
    last_event_ms: int | None = None
    drift_ms: int | None = None
    problem: str | None = None
    firmware: str | None = None
    users: int | None = None
    log_used: int | None = None
    log_capacity: int | None = None
    failures: int = 0
    """Conversations that ended in an error since the start."""

    def shown(self) -> tuple[str, str | None]:
        """State and problem as everybody else is told.

        Beside the driver's states ``degraded``, when the terminal is reached but something needs a person, and
        ``refused``, when it answers but does not let us in. That a log fills up is said here for every family.
        """
        problem = self.problem
        if problem is None and self.log_capacity and (self.log_used or 0) * 100 >= self.log_capacity * ALMOST_FULL_PCT:
            problem = "log_almost_full"
        if self.state == "online" and problem is not None:
            return "degraded", problem
        if self.state == "config_error" and problem in REFUSALS:
            return "refused", problem
        return self.state, problem


@dataclass(frozen=True, slots=True)
class Terminal:
    """One configured terminal with its profile and its live state."""

    config: TerminalConfig
    profile: Profile
    site_zone: str
    state: TerminalState


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What a driver gets from the gateway."""

    sink: Sink
    clocks: Clocks
    seen_ms: Callable[[], int]
    """Monotonic milliseconds since the open stream began, for ``seen_ms`` of an event."""
    push: PushConfig | None = None
    """Where a push family listens; None when the configuration does not open a port."""
    discovered: Callable[[str, str], None] = field(default=lambda _family, _serial: None)
    """Tells of an unknown device that knocked: family, serial."""
    present: Callable[[str, object | None], None] = field(default=lambda _serial, _device: None)
    """Hands over a live ``gateway.device.Device`` for a push terminal that can be talked to; None when it is gone."""


@dataclass(frozen=True, slots=True)
class DriverTask:
    """A conversation the supervisor keeps alive; ``run`` returns or raises when it is over and is then started again.

    ConfigError parks the task until a person acts, every other error starts it again after a growing delay.
    """

    name: str
    terminals: Sequence[Terminal]
    run: Callable[[], Awaitable[None]]


class Driver(Protocol):
    """A family of terminals."""

    family: str
    quirks: frozenset[str]
    """Names that profiles of this family may list."""

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal (pull) or one for all (push); ConfigError for settings that can not work."""
        ...
