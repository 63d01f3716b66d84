"""Posts, what their contracts say of duties, and the indicators that were accepted for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.scoring.duties import Suggestion, duty_rules, suggest
from server.services.act import Act
from server.store import contract_queries, log_queries, post_queries
from server.store.database import Database
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class PostDuties:
    """A post with the duties of its contracts, what they suggest and what was accepted."""

    id: str
    name_zh: str
    name_en: str
    people: int
    """Contracts that name the post."""
    duties: tuple[str, ...]
    """Each text once."""
    suggested: tuple[Suggestion, ...]
    accepted: tuple[str, ...]


async def posts(connection: AsyncConnection, scope: Scope) -> list[PostDuties]:
    """Posts of the organisation, and those that only contracts name, by id; an id there is the name itself."""
    accepted = await contract_queries.accepted_indicators(connection)
    names = {row.id: (row.name_zh, row.name_en) for row in (await post_queries.position_rows(connection)).values()}
    known = {text.casefold(): name for name, texts in names.items() for text in (name, *texts)}
    people: dict[str, int] = {}
    duties: dict[str, dict[str, None]] = {}
    for row in await contract_queries.contract_rows(connection, scope):
        if row.position:
            post = known.get(row.position.strip().casefold(), row.position.strip())
            people[post] = people.get(post, 0) + 1
            if row.duties and row.duties.strip():
                duties.setdefault(post, {})[row.duties.strip()] = None
    found = []
    for post in sorted({*names, *people, *accepted}):
        zh, en = names.get(post, (post, post))
        texts = tuple(duties.get(post, ()))
        suggested = tuple(suggest("\n".join(texts)))
        found.append(PostDuties(post, zh, en, people.get(post, 0), texts, suggested, tuple(accepted.get(post, ()))))
    return found


async def accept(db: Database, act: Act, post: str, indicators: Sequence[str]) -> None:
    """These are the indicators of a post from now on; none takes them back. DataError for one that is unknown."""
    known = {rule.indicator for rule in duty_rules()}
    if unknown := sorted(set(indicators) - known):
        raise DataError(f"no such indicator: {', '.join(unknown)}", "unknown_indicator")
    async with db.writing() as connection:
        if post not in {one.id for one in await posts(connection, act.scope)}:
            raise NotFoundError(f"post {post}")
        wanted = sorted(set(indicators))
        await contract_queries.put_indicators(connection, post, wanted, act.login, act.at_ms)
        await log_queries.append(connection, act.entry("post.indicators", post, indicators=wanted))
