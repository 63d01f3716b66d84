"""The health message, and its last copy on disk for ``muster gateway status``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.driver import TerminalState
from shared.clock import Clocks, WallMs
from shared.wire import Health, TerminalHealth

FILE = "health.json"


class Stats(Protocol):
    """What the outbox tells of itself."""

    @property
    def backlog(self) -> int:
        """Rows that the server has not confirmed."""
        ...

    @property
    def oldest_unacked_ms(self) -> WallMs | None:
        """When the oldest of them was accepted."""
        ...

    @property
    def quota_used_pct(self) -> int:
        """Of the configured quota."""
        ...

    @property
    def free_bytes(self) -> int:
        """On the file system of the outbox."""
        ...

    @property
    def refused(self) -> int:
        """Events refused since the start because nothing could be stored."""
        ...

    @property
    def alarms(self) -> tuple[str, ...]:
        """Codes of what needs a person."""
        ...


def health_of(
    *,
    clocks: Clocks,
    software: str,
    stats: Stats,
    terminals: Iterable[TerminalState],
    alarms: Sequence[str],
    dropped: int,
) -> Health:
    """One health message; alarms of outbox and session together, each once, in alphabetical order."""
    return Health(
        at=clocks.wall_ms(),
        mono_ms=clocks.mono_ms(),
        software=software,
        backlog=stats.backlog,
        oldest_unacked_ms=stats.oldest_unacked_ms,
        free_bytes=stats.free_bytes,
        quota_used_pct=stats.quota_used_pct,
        refused=stats.refused,
        dropped_health=dropped,
        alarms=sorted({*stats.alarms, *alarms}),
        terminals=[terminal_health(state) for state in terminals],
    )


def terminal_health(state: TerminalState) -> TerminalHealth:
    """What the server is told of one terminal; its configured name stands for a serial that nobody knows yet."""
    shown, problem = state.shown()
    return TerminalHealth(
        terminal=state.serial or state.name,
        name=state.name,
        profile=state.profile,
        state=shown,
        last_contact_ms=state.last_contact_ms,
        last_event_ms=state.last_event_ms,
        drift_ms=state.drift_ms,
        problem=problem,
        firmware=state.firmware,
        users=state.users,
        log_used=state.log_used,
        log_capacity=state.log_capacity,
    )


def save(health: Health, folder: Path) -> None:
    """Replace the copy on disk; not flushed, as the next one follows soon."""
    fresh = folder / f".{FILE}.new"
    try:
        fresh.write_bytes(msgspec.json.encode(health))
        fresh.replace(folder / FILE)
    except OSError:  # telemetry may drop: a full disk must not stop what it reports
        return


def load(folder: Path) -> Health | None:
    """The last saved health; None before the first, or when it is unreadable."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Health)
    except (OSError, msgspec.MsgspecError):
        return None
