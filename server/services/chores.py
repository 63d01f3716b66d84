"""What the worker does from time to time beside results.

Each chore is safe to repeat, and to run in several processes at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from server.config import ServerConfig
from server.services import (
    accrual,
    approvals,
    calendars,
    file_imports,
    imports,
    leave,
    people_changes,
    push,
    sync_worker,
)
from server.services.groups import extend_rosters
from server.services.recompute import touch_outdated
from server.store.change_queries import forget_changes
from server.store.database import Database
from shared.clock import Clocks, WallMs

Work: TypeAlias = Callable[[Database, ServerConfig, WallMs], Awaitable[object]]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
KEEP_CHANGES_MS = 48 * HOUR_MS
"""Pages that were away longer fetch anew anyway."""

log = structlog.get_logger("server.chores")


@dataclass(frozen=True, slots=True)
class Chore:
    """Work to be done every so often, and at once after a start."""

    name: str
    every_ms: int
    work: Work


async def _forget_changes(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    async with db.writing() as connection:
        await forget_changes(connection, now_ms - KEEP_CHANGES_MS)


async def _forget_uploads(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await imports.forget_uploads(db, now_ms)
    await file_imports.forget_uploads(db, now_ms)


async def _ensure_requests(db: Database, _config: ServerConfig, _now_ms: WallMs) -> None:
    await leave.ensure_defaults(db)


async def _accrue(db: Database, config: ServerConfig, now_ms: WallMs) -> None:
    await accrual.accrue(db, config.zone, now_ms)


async def _time_out(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await approvals.time_out(db, now_ms)


async def _touch_outdated(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await touch_outdated(db, now_ms)


async def _begin_posts(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await people_changes.begin_posts(db, now_ms)


async def _forget_pages(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await sync_worker.forget_pages(db, now_ms)


async def _forget_calls(db: Database, _config: ServerConfig, now_ms: WallMs) -> None:
    await push.forget(db, now_ms)


CHORES: tuple[Chore, ...] = (
    Chore("outdated", HOUR_MS, _touch_outdated),
    Chore("changes", HOUR_MS, _forget_changes),
    Chore("uploads", HOUR_MS, _forget_uploads),
    Chore("posts", 10 * MINUTE_MS, _begin_posts),
    Chore("calendars", HOUR_MS, calendars.ensure_defaults),
    Chore("leave_types", HOUR_MS, _ensure_requests),
    Chore("accrual", 10 * MINUTE_MS, _accrue),
    Chore("time_outs", MINUTE_MS, _time_out),
    Chore("rosters", HOUR_MS, extend_rosters),
    Chore("raw_pages", HOUR_MS, _forget_pages),
    Chore("calls", 10 * MINUTE_MS, _forget_calls),
)


class Chores:
    """Remembers when each was done last in this process."""

    def __init__(self, db: Database, config: ServerConfig, clocks: Clocks, chores: tuple[Chore, ...] = CHORES) -> None:
        self._db, self._config, self._clocks, self._chores = db, config, clocks, chores
        self._done: dict[str, int] = {}

    async def run_due(self) -> None:
        """Do what is due; one that fails is logged, tried again when it is next due, and keeps nobody waiting."""
        for chore in self._chores:
            now = self._clocks.mono_ms()
            if now - self._done.get(chore.name, now - chore.every_ms) < chore.every_ms:
                continue
            self._done[chore.name] = now
            try:
                await chore.work(self._db, self._config, self._clocks.wall_ms())
            except Exception:
                log.exception("chore_failed", chore=chore.name)
