"""Schemes of weights: written as drafts, checked when saved, published by a second person as numbered versions.

What is in force is what ships, overlaid with all versions. Publishing asks for the scores of those whose weights or
indicators it changes to be computed again, from the first day that it changes on, and for nothing else.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.scoring.catalogue import check_pair, default_catalogue
from server.scoring.family import check_parts, facts_needed
from server.scoring.rules import (
    Book,
    Change,
    IndicatorItem,
    Item,
    OwnItem,
    Rules,
    SeasonItem,
    SetItem,
    changed,
    changes_between,
    check_rules,
    first_day,
    rolled_back,
    rules_of,
)
from server.scoring.scorecard import NoScore
from server.scoring.window import days_of
from server.services.act import Act
from server.services.sources import unusable_facts
from server.services.stays import Stay, stays_of
from server.store import change_queries, log_queries, period_queries, post_queries, scheme_queries, score_queries
from server.store.counted_facts import shapes
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.scheme_queries import DraftRow, State, Written
from server.store.score_queries import Card
from shared.clock import WallMs
from shared.errors import DataError

TOPIC = "schemes"


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes or decides; one person may have several accounts."""

    login: str
    employee: str | None
    entry: Entry
    """For the operation log; its action and object are filled in."""

    @classmethod
    def of(cls, act: Act) -> "Author":
        """Whoever is signed in."""
        return cls(act.login, act.viewer.employee, act.entry("", ""))

    @property
    def names(self) -> tuple[str, ...]:
        """As kept with a draft."""
        own = () if self.employee is None else (f"employee:{self.employee}",)
        return (f"login:{self.login}", *own)


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft with its lines, and the book that it changes."""

    row: DraftRow
    changes: tuple[Change, ...]
    before: Book
    """What is in force; of a version what was in force before it."""

    @property
    def after(self) -> Book:
        """The book with the draft in it."""
        return changed(self.before, self.changes)


# --- looking --------------------------------------------------------------------------------------------------------


async def find_draft(connection: AsyncConnection, number: int) -> Draft:
    """A draft, or the version that it became; NotFoundError when there is none."""
    row = await scheme_queries.draft_row(connection, number)
    if row is None:
        raise NotFoundError(f"draft {number}")
    return await _draft(connection, row)


async def find_version(connection: AsyncConnection, version: int) -> Draft:
    """A version with what it changed; NotFoundError when there is none."""
    row = await scheme_queries.version_row(connection, version)
    if row is None:
        raise NotFoundError(f"version {version} of the weights")
    return await _draft(connection, row)


async def check_changes(connection: AsyncConnection, before: Book, changes: Sequence[Change], now_ms: WallMs) -> Rules:
    """The rules with these changes; DataError with field and reason for the first thing that can not be."""
    if not changes_between(before, changed(before, changes)):
        raise DataError("the draft changes nothing: change a weight, a season or an indicator", "scheme_empty")
    _check_indicators(before, changes)
    rules = rules_of(changed(before, changes))
    await _check_names(connection, changes)
    names = {one.id for one in rules.catalogue.indicators}
    for change in changes:
        if change.item is not None:
            _check_order(change.item)
        if isinstance(change.item, IndicatorItem):
            check_pair(change.item.indicator, names)
    check_rules(rules, await score_queries.departments_above(connection))
    unusable = await unusable_facts(connection, now_ms)
    for change in changes:
        if change.item is not None and changes_between(before, changed(before, [change])):
            _check_sources(change.item, rules, unusable)
    return rules


# --- writing --------------------------------------------------------------------------------------------------------


async def save(  # noqa: PLR0917 - what is written, and by whom
    db: Database, title: str, changes: Sequence[Change], author: Author, draft: int | None = None, revision: int = 0
) -> int:
    """Keep a draft, or write one anew; its number. DataError with field and reason, ``draft_changed``."""
    entry = author.entry
    async with db.writing() as connection:
        before = await scheme_queries.book_at(connection)
        await check_changes(connection, before, changes, entry.at_ms)
        written = Written(
            _title(title),
            await scheme_queries.newest_version(connection),
            first_day(changes, before),
            author.login,
            author.names,
            entry.at_ms,
        )
        if draft is None:
            number = await scheme_queries.add_draft(connection, written, changes)
        else:
            number, row = draft, (await find_draft(connection, draft)).row
            if row.revision != revision or not await scheme_queries.change_draft(connection, row, written, changes):
                raise _moved(draft)
        await _log(connection, author, "scheme.save", f"draft {number}", title=written.title, changes=len(changes))
    return number


async def submit(db: Database, number: int, revision: int, author: Author) -> None:
    """Hand a draft in for a second person to decide about."""
    async with db.writing() as connection:
        draft = await find_draft(connection, number)
        await check_changes(connection, draft.before, draft.changes, author.entry.at_ms)
        await _move(connection, draft.row, revision, "draft", "submitted", submitted_ms=author.entry.at_ms)
        await _log(connection, author, "scheme.submit", f"draft {number}", title=draft.row.title)


async def withdraw(db: Database, number: int, revision: int, author: Author) -> None:
    """Take a draft back that nobody has decided about."""
    async with db.writing() as connection:
        row = (await find_draft(connection, number)).row
        await _move(connection, row, revision, row.state if row.state == "submitted" else "draft", "withdrawn")
        await _log(connection, author, "scheme.withdraw", f"draft {number}", title=row.title)


async def reject(db: Database, number: int, revision: int, note: str, author: Author) -> None:
    """Refuse what was handed in, with the reason. DataError ``same_person``."""
    async with db.writing() as connection:
        row = (await find_draft(connection, number)).row
        _refuse_own(row, author)
        if not note.strip():
            raise DataError("say why the draft is refused", "note_needed", {"field": "note"})
        told = {"decided_by": author.login, "decided_ms": author.entry.at_ms, "note": note.strip()}
        await _move(connection, row, revision, "submitted", "rejected", **told)
        await _log(connection, author, "scheme.reject", f"draft {number}", title=row.title, note=note.strip())


async def publish(db: Database, number: int, revision: int, author: Author) -> tuple[int, int]:
    """Put what another person handed in in force; its version, and how many scorecards are computed again.

    DataError ``same_person``, ``scheme_changed`` when another version came into force since it was saved.
    """
    async with db.writing() as connection:
        await scheme_queries.hold_versions(connection)
        draft = await find_draft(connection, number)
        _refuse_own(draft.row, author)
        newest = await scheme_queries.newest_version(connection)
        if draft.row.based_on != newest:
            message = f"version {newest} came into force since the draft was saved: look at it and save the draft again"
            raise DataError(message, "scheme_changed", {"version": str(newest)})
        after = await check_changes(connection, draft.before, draft.changes, author.entry.at_ms)
        told = {"decided_by": author.login, "decided_ms": author.entry.at_ms, "version": newest + 1}
        await _move(connection, draft.row, revision, "submitted", "published", **told)
        first = draft.row.first_on or date.max
        cards = await affected_cards(connection, rules_of(draft.before), after, first)
        await score_queries.touch_scores(connection, cards)
        await _log(
            connection,
            author,
            "scheme.publish",
            f"version {newest + 1}",
            title=draft.row.title,
            written_by=draft.row.written_by,
            first_on=first.isoformat(),
            scorecards=len(cards),
        )
    return newest + 1, len(cards)


async def roll_back(db: Database, version: int, day: date, title: str, author: Author) -> int:
    """A draft that lets everything be from a day on as it was in a version, 0 for what ships; its number."""
    async with db.reading() as connection:
        now = await scheme_queries.book_at(connection)
        if version:
            await find_version(connection, version)
        then = await scheme_queries.book_at(connection, version)
    return await save(db, title, changes_between(now, rolled_back(now, then, day)), author)


async def affected_cards(connection: AsyncConnection, before: Rules, after: Rules, first: date) -> set[Card]:
    """Scorecards of open periods from a day on whose weights or definitions differ; what is closed stays (KS-12)."""
    cards = await score_queries.cards_since(connection, f"{first:%Y-%m}")
    posts = await score_queries.everybody(connection)
    record = await post_queries.posts_on_record(connection)
    above = await score_queries.departments_above(connection)

    def concerned() -> set[Card]:
        found = set[Card]()
        for person, period in cards:
            if person in posts:
                stays = stays_of(person, posts[person], record.get(person, ()), above, days_of(period))
                if any(differs(stay, before, after) for stay in stays):
                    found.add((person, period))
        return found

    found = await asyncio.to_thread(concerned)  # meanwhile people's pages are answered
    return found - await period_queries.closed_among(connection, found)


def differs(stay: Stay, before: Rules, after: Rules) -> bool:
    """Whether a person in a post is scored in another way."""
    weights, others = stay.weights(before), stay.weights(after)
    if weights != others:
        return True
    day = stay.counted.last
    return any(before.definition(name, day) != after.definition(name, day) for name in weights.weights)


# --- checks ---------------------------------------------------------------------------------------------------------


def _check_indicators(before: Book, changes: Iterable[Change]) -> None:
    """A version of an indicator is never overwritten or taken back, as scores were made with it."""
    there = {(one.id, one.starts): one for one in rules_of(before).catalogue.indicators}
    for change in changes:
        if change.kind != "indicator":
            continue
        if not isinstance(change.item, IndicatorItem):
            if ("indicator", change.key) in before:
                continue
            raise DataError(f"indicator {change.key}: no such version", "indicator_version", {"field": "starts"})
        one = change.item.indicator
        if there.get((one.id, one.starts), one) != one:
            message = f"indicator {one.id}: a version starts on {one.starts}; choose another day"
            raise DataError(message, "indicator_version", {"field": "starts", "indicator": one.id})
        check_parts(one, shapes())


async def _check_names(connection: AsyncConnection, changes: Iterable[Change]) -> None:
    departments: set[str | None] = {None, *await score_queries.departments_above(connection)}
    positions: set[str | None] = {None, *await post_queries.position_rows(connection)}
    for one in default_catalogue().sets:
        departments.add(one.department)
        positions.add(one.position)
    people = await score_queries.everybody(connection)
    for change in changes:
        match change.item:
            case SetItem(set=one):
                _known(one.department in departments, f"department {one.department}", "department")
                _known(one.position in positions, f"position {one.position}", "position")
            case SeasonItem(delta=delta):
                _known(delta.department in departments, f"department {delta.department}", "department")
            case OwnItem(employee=employee, delta=delta):
                _known(employee in people, f"employee {employee}", "employee")
                _known(delta.department in departments, f"department {delta.department}", "department")


def _known(there: bool, what: str, field: str) -> None:
    if not there:
        raise DataError(f"{what} is not there", "scheme_unknown", {"field": field, "name": what.split(" ", 1)[1]})


def _check_order(item: Item) -> None:
    if isinstance(item, SeasonItem | OwnItem) and item.last < item.first:
        message = f"change of weights {item.delta.id}: it ends on {item.last}, before it begins on {item.first}"
        raise DataError(message, "weights_change", {"field": "last"})


def _check_sources(item: Item, rules: Rules, unusable: Mapping[str, NoScore]) -> None:
    """Nothing gets weight that no source has ever told of: it would only lower the coverage."""
    match item:
        case SetItem(set=one):
            weights, day = one.weights, one.starts
        case SeasonItem(delta=delta, first=first) | OwnItem(delta=delta, first=first):
            weights, day = delta.weights, first
        case _:
            return
    for name, weight in weights.items():
        indicator = rules.definition(name, day)
        if indicator is None:
            message = f"{name} has no version that starts by {day}"
            raise DataError(message, "weights_indicator", {"field": f"weights.{name}", "indicator": name})
        missing = sorted(fact for fact in facts_needed(indicator) if unusable.get(fact) == "source_missing")
        if weight and missing:
            message = f"{name}: no source has ever told of {missing[0]}; connect one first, or give it no weight"
            told = {"field": f"weights.{name}", "indicator": name, "fact": missing[0]}
            raise DataError(message, "weights_source", told)


def _title(text: str) -> str:
    if not text.strip():
        raise DataError("give the draft a title that says what it is for", "title_needed", {"field": "title"})
    return text.strip()[:200]


# --- moving on ------------------------------------------------------------------------------------------------------


async def _draft(connection: AsyncConnection, row: DraftRow) -> Draft:
    version = None if row.version is None else row.version - 1
    before = await scheme_queries.book_at(connection, version)
    return Draft(row, await scheme_queries.changes_of(connection, row.id), before)


async def _move(
    connection: AsyncConnection, row: DraftRow, revision: int, since: State, state: State, **values: Any
) -> None:
    if row.state != since or row.revision != revision:
        raise _moved(row.id)
    if not await scheme_queries.set_state(connection, row, state, **values):
        raise _moved(row.id)


def _moved(number: int) -> DataError:
    return DataError(f"draft {number} was changed or decided meanwhile: look at it again", "draft_changed")


def _refuse_own(row: DraftRow, author: Author) -> None:
    if set(author.names) & set(row.authors):
        raise DataError("it takes a second person: somebody else decides about what you wrote", "same_person")


async def _log(connection: AsyncConnection, author: Author, action: str, subject: str, **detail: str | int) -> None:
    given = author.entry
    entry = Entry(given.at_ms, author.login, action, subject, given.result, given.ip, given.request_id, detail)
    await log_queries.append(connection, entry)
    await change_queries.note_changes(connection, {TOPIC}, given.at_ms)
