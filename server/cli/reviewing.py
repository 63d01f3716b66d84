"""Rows that wait, and ids of people that are nobody's yet, from a terminal."""

import datetime as dt
import json
import shutil
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import typer
from rich.markup import escape

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.cli.console import ACTOR, errors, in_database, iso_time, now_ms, out, reading, show
from server.facts.codes import Code
from server.services import fact_decisions, fact_people, fact_review, fact_review_file
from server.services.fact_decisions import Decision
from server.services.fact_review_file import Language
from server.store import review_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.review_queries import Wanted
from shared.errors import ConfigError

T = TypeVar("T")
ROW_FACTS = ("id", "source", "fact", "row", "key", "codes", "fields", "state", "last_seen", "assigned_to")
PEOPLE_FACTS = ("source", "id", "fact", "rows", "first", "last", "suggested")
_STATES = ("open", "fixed", "accepted", "rejected", "superseded", "all")


def listed(wanted: Wanted, limit: int, config: Path, *, json_: bool) -> None:
    """A page of rows, newest first."""
    total, rows = in_database(
        config, reading(lambda c: review_queries.rows(c, Scope.system(), wanted, limit=limit, offset=0))
    )
    told = [
        {
            "id": row.id,
            "source": row.source,
            "fact": row.fact,
            "row": row.row_no,
            "key": row.source_key,
            "codes": ", ".join(row.codes),
            "fields": ", ".join(f"{one['field']}={one['value']}" for one in row.fields),
            "state": f"proposal {row.proposal}" if row.proposal and row.state == "open" else row.state,
            "last_seen": iso_time(row.last_seen_ms),
            "assigned_to": row.assigned_to,
        }
        for row in rows
    ]
    show(told, json_, ROW_FACTS)
    if not json_ and total > len(rows):
        out.print(f"{total} in all; --limit shows more")


def shown(number: int, words: Sequence[str], config: Path) -> None:
    """A row beside what it becomes with these values, as JSON."""
    with errors():
        patch = _patch(words)

    async def work(db: Database) -> fact_review.Reviewed:
        async with db.reading() as connection:
            return await fact_review.show(connection, Scope.system(), number, patch, now_ms())

    found = in_database(config, lambda db: _found(work(db)))
    told = {"id": number, "raw": found.raw, "mapped": found.mapped, "faults": [dict(one) for one in found.faults]}
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2))


def decide(kind: str, rows: Sequence[int], words: Sequence[str], note: str, config: Path) -> None:
    """Carry a decision out, or propose it."""
    with errors():
        decision = Decision(kind, note, _patch(words))
    entry = Entry(now_ms(), ACTOR, "", "")
    done = in_database(config, lambda db: _found(fact_decisions.decide(db, Scope.system(), rows, decision, entry)))
    if done.proposal is not None:
        out.print(f"proposal {done.proposal}: nothing is done yet, a second person confirms it on the page")
        return
    counts = done.counts
    out.print(f"{len(rows)} rows decided: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged")


def exported(to: Path, wanted: Wanted, language: str, config: Path) -> None:
    """Write a table of rows."""
    with errors():
        if language not in get_args(Language):
            raise ConfigError(f"--language {language}: expected zh-CN or en")

    async def work(db: Database) -> None:
        with await fact_review_file.csv_file(db, Scope.system(), wanted, cast(Language, language)) as file:
            try:
                with to.open("wb") as written:
                    shutil.copyfileobj(file, written)
            except OSError as error:
                raise ConfigError(f"{to}: can not be written ({error.strerror})") from error

    in_database(config, work)
    out.print(f"wrote {escape(str(to))}", soft_wrap=True)


def unmatched(source: str | None, config: Path, *, json_: bool) -> None:
    """Ids that are nobody's, those of most rows first."""
    found = in_database(config, reading(lambda c: fact_people.unmatched(c, source)))
    told = [
        {
            "source": one.id.source,
            "id": one.id.employee_key,
            "fact": one.id.fact,
            "rows": one.id.rows,
            "first": iso_time(one.id.first_ms),
            "last": iso_time(one.id.last_ms),
            "suggested": ", ".join(one.suggested),
        }
        for one in found
    ]
    show(told, json_, PEOPLE_FACTS)


def linked(source: str | None, word: str, day: str | None, config: Path) -> None:
    """Say whose an id is."""
    with errors():
        key, equals, employee = word.rpartition("=")
        if not (source and equals and key and employee):
            raise ConfigError("name --source, and --link ID=EMPLOYEE")
        row = LinkRow(source, key, _day(day), None, employee)
    entry = Entry(now_ms(), ACTOR, "people.link", "")
    changed = in_database(config, lambda db: _found(fact_people.link(db, row, entry)))
    out.print(f"{key} is {employee}'s from {row.valid_from}; {changed} rows are theirs by that", soft_wrap=True)


def wanted(source: str | None, fact: str | None, code: str | None, state: str) -> Wanted:
    """Which rows; the command ends where a word is none of those there are."""
    with errors():
        if code is not None and code not in get_args(Code):
            raise ConfigError(f"--code {code}: expected one of {', '.join(get_args(Code))}")
        if state not in _STATES:
            raise ConfigError(f"--state {state}: expected one of {', '.join(_STATES)}")
    return Wanted(None if state == "all" else state, source, fact, cast("Code | None", code))


async def _found(work: Coroutine[Any, Any, T]) -> T:
    """What is not there is a mistake of whoever typed it."""
    try:
        return await work
    except NotFoundError as error:
        raise ConfigError(f"no such {error}; `muster connectors quarantine list` shows what there is") from error


def _patch(words: Sequence[str]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise ConfigError(f"--set {word}: expected FIELD=VALUE")
        patch[name] = value or None
    return patch


def _day(text: str | None) -> dt.date:
    try:
        return dt.date.fromisoformat(text or "")
    except ValueError as error:
        raise ConfigError("name --from as a date such as 2026-01-31") from error
