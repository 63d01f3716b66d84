"""Changing people by date: one way for the page, imported files and their undoing.

``employees`` holds what is in force today; a chore moves it when a change that was entered ahead begins.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.people.person import Person, Post, Span, changed_spans, months_in, refuse_person
from server.services.import_kind import Who
from server.store import attendance_queries, company_queries, log_queries, page_queries, post_queries, score_queries
from server.store.change_queries import note_changes
from server.store.closing_queries import closed_months
from server.store.database import Database
from server.store.log_queries import Detail, Entry
from server.store.post_queries import SiteRow
from shared.clock import WallMs, from_ms
from shared.errors import DataError


@dataclass(slots=True)
class Followed:
    """What is to be computed again."""

    days: set[tuple[str, date]] = field(default_factory=set)
    cards: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a change touched."""

    days: int


@dataclass(frozen=True, slots=True)
class Deed:
    """What a change is called in the operation log, and its facts."""

    action: str
    detail: Detail


async def follow(
    connection: AsyncConnection, *, moved: Collection[str], rated: Collection[str], spans: Mapping[str, Sequence[Span]]
) -> Followed:
    """Whose zone or calendar changes has other days, others within their spans; and all have other scores."""
    found = Followed()
    if moved:
        found.days.update(await company_queries.days_of(connection, moved))
    if partly := set(spans) - set(moved):
        found.days.update(await post_queries.days_between(connection, partly, spans))
    if people := {*moved, *rated, *spans}:
        found.cards.update(await company_queries.cards_of(connection, people))
    return found


def local_today(now_ms: WallMs, zone: str) -> date:
    """The date at a site now."""
    return from_ms(now_ms).astimezone(ZoneInfo(zone)).date()


async def store_people(
    connection: AsyncConnection, changes: Sequence[tuple[Person | None, Person]], now_ms: WallMs
) -> Stored:
    """Write people as they are from now on, each with what was there before, and touch what follows.

    DataError ``month_closed``. Somebody new may have begun in a closed month: nothing was planned there, so nothing
    changes. The caller writes the operation log and the live topics.
    """
    sites = await post_queries.site_rows(connection)
    closed = await closed_months(connection)
    spans: dict[str, list[Span]] = {}
    moved: list[str] = []
    for before, after in changes:
        refuse_person(after)
        if before is not None and (found := changed_spans(before, after)):
            refuse_closed_spans(after.id, found, closed)
            spans[after.id] = found
    for before, after in changes:
        post = post_today(after, sites, now_ms)
        if before is not None and _terms(post_today(before, sites, now_ms), sites) != _terms(post, sites):
            moved.append(after.id)
        await post_queries.put_person(connection, after, post)
    followed = await follow(connection, moved=moved, rated=(), spans=spans)
    await attendance_queries.touch_days(connection, followed.days)
    await score_queries.touch_scores(connection, followed.cards)
    return Stored(len(followed.days))


def post_today(person: Person, sites: Mapping[str, SiteRow], now_ms: WallMs) -> Post:
    """The post in force, by the date at the site itself."""
    newest_first = sorted(person.posts, key=lambda post: post.from_on, reverse=True)
    begun = (post for post in newest_first if post.from_on <= local_today(now_ms, sites[post.site].zone))
    return next(begun, person.posts[0])


def refuse_closed_spans(employee: str, spans: Sequence[Span], closed: Collection[str]) -> None:
    """DataError ``month_closed`` with the month when a span reaches into a closed one."""
    if months := months_in(spans, closed):
        raise DataError(
            f"{employee}: {months[0]} is closed; have it opened again, or date the change after it",
            "month_closed",
            {"employee": employee, "month": months[0]},
        )


def _terms(post: Post, sites: Mapping[str, SiteRow]) -> tuple[str, str | None]:
    return sites[post.site].zone, sites[post.site].calendar


# --- one person -----------------------------------------------------------------------------------------------------


async def add_person(db: Database, who: Who, person: Person) -> Stored:
    """Somebody new; DataError ``id_taken``, ``unknown_department``, ``unknown_site``, ``unknown_position``."""
    async with db.writing() as connection:
        if await post_queries.people_by_id(connection, [person.id]):
            raise DataError(f"there is an employee {person.id} already", "id_taken", {"id": person.id})
        return await _store(connection, who, Deed("people.add", {"name": person.name}), None, person)


async def change_person(
    db: Database, who: Who, employee: str, change: Callable[[Person], Person], deed: Deed
) -> Stored:
    """Change somebody in scope, else NotFoundError; DataError as the change and ``store_people`` say."""
    async with db.writing() as connection:
        if await page_queries.person(connection, who.scope, employee) is None:
            raise NotFoundError(f"employee {employee!r}")
        before = (await post_queries.people_by_id(connection, [employee]))[employee]
        return await _store(connection, who, deed, before, change(before))


async def _store(connection: AsyncConnection, who: Who, deed: Deed, before: Person | None, after: Person) -> Stored:
    await _refuse_unknown(connection, after)
    stored = await store_people(connection, [(before, after)], who.now_ms)
    await log_queries.append(connection, entry(who, deed.action, after.id, {**deed.detail, "days": stored.days}))
    await note_changes(connection, ["people", f"employee:{after.id}"], who.now_ms)
    return stored


async def _refuse_unknown(connection: AsyncConnection, person: Person) -> None:
    known = {
        "department": set(await post_queries.department_rows(connection)),
        "site": set(await post_queries.site_rows(connection)),
        "position": set(await post_queries.position_rows(connection)),
    }
    for post in person.posts:
        for name, ids in known.items():
            if (value := getattr(post, name)) not in ids:
                raise DataError(f"there is no {name} {value!r}; add it first", f"unknown_{name}", {name: value})


def entry(who: Who, action: str, object_: str, detail: Detail) -> Entry:
    """An entry of the operation log in somebody's name."""
    caller = who.caller
    return Entry(
        who.now_ms,
        who.actor,
        action,
        object_,
        ip=caller.ip if caller else None,
        request_id=caller.request_id if caller else None,
        detail=detail,
    )


# --- what was entered ahead -----------------------------------------------------------------------------------------


async def begin_posts(db: Database, now_ms: WallMs) -> int:
    """Let posts begin whose date has come; how many people moved. Safe to repeat."""
    async with db.writing() as connection:
        sites = await post_queries.site_rows(connection)
        waiting: list[str] = []
        for zone in sorted({site.zone for site in sites.values()}):
            waiting += await post_queries.begun_posts(connection, zone, local_today(now_ms, zone))
        if not waiting:
            return 0
        before = await attendance_queries.zones(connection, waiting)
        moved, began = [], []
        for person in (await post_queries.people_by_id(connection, waiting)).values():
            post = post_today(person, sites, now_ms)
            await post_queries.set_post(connection, person.id, post)
            began.append(person.id)
            if sites[post.site].zone != before[person.id]:
                moved.append(person.id)
        spans = {name: [(local_today(now_ms, before[name]), date.max)] for name in began}
        followed = await follow(connection, moved=moved, rated=began, spans=spans)
        await attendance_queries.touch_days(connection, followed.days)
        await score_queries.touch_scores(connection, followed.cards)
        await log_queries.append(connection, Entry(now_ms, "system", "people.begin", "posts", detail={"people": began}))
        await note_changes(connection, ["people", *(f"employee:{name}" for name in began)], now_ms)
    return len(began)
