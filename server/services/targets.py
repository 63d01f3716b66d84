"""Targets are set from a day on, and the scores that they change are computed again."""

from collections.abc import Sequence

from server.scoring.target import EVERYBODY, Target
from server.store import log_queries, score_queries, target_queries
from server.store.database import Database
from server.store.log_queries import Entry
from shared.errors import DataError


async def set_targets(db: Database, targets: Sequence[Target], entry: Entry) -> int:
    """Set targets; how many scorecards are to be computed again. DataError for a unit that is not there."""
    async with db.writing() as connection:
        posts = await score_queries.everybody(connection)
        known = {EVERYBODY, *posts, *(department for post in posts.values() for department in post.departments)}
        if strange := {one.unit for one in targets} - known:
            raise DataError(f"no person or department {min(strange)!r}", "targets_unit")
        await target_queries.put_targets(connection, targets, actor=entry.actor, at_ms=entry.at_ms)
        first = min(one.starts for one in targets)
        cards = await score_queries.cards_since(connection, f"{first:%Y-%m}")
        units = {one.unit for one in targets}
        touched = {
            (person, period)
            for person, period in cards
            if person in posts and units & {EVERYBODY, person, *posts[person].departments}
        }
        await score_queries.touch_scores(connection, touched)
        await log_queries.append(connection, entry)
    return len(touched)
