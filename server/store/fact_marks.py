"""Which facts have changed: counters beside the watermarks of those who follow the feed, moved with the rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolve.rules import RULES
from server.store.sweep_queries import SWEEP
from server.store.tables import followers
from server.store.upsert import insert_into
from shared.clock import WallMs

_FACT = "fact:"
SCORED = f"{SWEEP}fact:"
RESTATED = f"{SWEEP}late:"
"""What has been taken into open scores, and what closed ones have been compared with."""
_UNUSABLE = f"{SWEEP}unusable:"


@dataclass(frozen=True, slots=True)
class Marks:
    """All counters and watermarks of one moment, by name."""

    at: Mapping[str, int]

    def changed(self, since: str = SCORED) -> dict[str, int]:
        """Facts that changed since they were scored, each with its counter."""
        facts = (name.removeprefix(_FACT) for name in self.at if name.startswith(_FACT))
        return {fact: self.at[_FACT + fact] for fact in facts if self.at.get(since + fact) != self.at[_FACT + fact]}

    def unusable(self) -> set[str]:
        """Facts that nothing could be scored by when scores were computed last."""
        return {name.removeprefix(_UNUSABLE) for name in self.at if name.startswith(_UNUSABLE)}

    def swept_until(self, name: str) -> WallMs | None:
        """Instant up to which a sweep has looked; None before its first time."""
        return self.at.get(f"{SWEEP}{name}")

    def watermarks(self) -> dict[str, int]:
        """How far each follower of the feed has come, and how often each fact has changed."""
        return {name: at for name, at in self.at.items() if not name.startswith(SWEEP)}


def following(facts: Collection[str]) -> set[str]:
    """These facts and all whose rows may change with them."""
    found = set(facts)
    while more := {rule.fact for rule in RULES for cause in rule.causes if cause.fact in found} - found:
        found |= more
    return found


async def move(connection: AsyncConnection, facts: Collection[str]) -> None:
    """Say that rows of these facts, and of those that follow from them, changed; in the transaction of the rows."""
    rows = [{"name": f"{_FACT}{fact}", "feed_id": 1} for fact in sorted(following(facts))]
    statement = insert_into(connection, followers).values(rows)
    changed = {"feed_id": followers.c.feed_id + 1}
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


async def scored(connection: AsyncConnection, counters: Iterable[tuple[str, int]], into: str = SCORED) -> None:
    """Remember up to which counter facts have been taken into scores."""
    rows = [{"name": f"{into}{fact}", "feed_id": counter} for fact, counter in sorted(counters)]
    if rows:
        statement = insert_into(connection, followers).values(rows)
        changed = {"feed_id": statement.excluded.feed_id}
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


async def note_unusable(connection: AsyncConnection, facts: Collection[str]) -> None:
    """Remember these facts instead of those before."""
    await connection.execute(delete(followers).where(followers.c.name.like(f"{_UNUSABLE}%")))
    if facts:
        rows = [{"name": f"{_UNUSABLE}{fact}", "feed_id": 0} for fact in sorted(facts)]
        await connection.execute(followers.insert(), rows)
