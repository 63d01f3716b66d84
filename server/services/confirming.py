"""Employees confirm their month (员工确认), object to it, and are asked again when the numbers change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.closing import refuse_closed
from server.attendance.months import Month, month_span
from server.services.act import Act
from server.services.month_sums import Sums, month_sums
from server.store import change_queries, checklist_queries, closing_queries, log_queries, page_queries
from server.store.closing_queries import ConfirmationRow
from server.store.database import Database
from server.store.scope_filter import ALL, Narrow
from shared.errors import DataError

State: TypeAlias = Literal["not_asked", "asked", "confirmed", "objected", "outdated"]
Answer: TypeAlias = Literal["confirmed", "objected"]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What one employee said of a month, and the numbers as they are now."""

    employee: str
    name: str
    department: str
    state: State
    sums: Sums
    """As of now; those that were answered are in ``row``."""
    row: ConfirmationRow | None


async def confirmations(
    connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL
) -> dict[str, Confirmation]:
    """Everybody in scope with a record in the month, or who was asked about it, by employee."""
    sums = await month_sums(connection, scope, month, narrow)
    rows = await closing_queries.confirmations_of(connection, scope, month, narrow)
    people = await checklist_queries.named_people(connection, scope, {*sums, *rows})
    found = {}
    for employee, person in people.items():
        row, own = rows.get(employee), sums.get(employee, {})
        found[employee] = Confirmation(employee, person.name, person.department, _state(row, own), own, row)
    return found


async def own_confirmation(db: Database, employee: str, month: Month) -> tuple[Confirmation, bool]:
    """One's own month, and whether it is closed; NotFoundError for nobody."""
    scope = Scope(employee=employee)
    async with db.reading() as connection:
        person = await page_queries.person(connection, scope, employee)
        if person is None:
            raise NotFoundError(f"employee {employee!r}")
        found = await confirmations(connection, scope, month)
        closed = month in await closing_queries.closed_months(connection)
    nothing = Confirmation(employee, person.name, person.department, "not_asked", {}, None)
    return found.get(employee, nothing), closed


async def ask(
    db: Database, act: Act, month: Month, *, narrow: Narrow = ALL, people: Collection[str] = (), again: bool = False
) -> int:
    """Ask people in scope, or those named, to confirm the month; how many were asked.

    Who was asked already is asked only ``again`` (a reminder); who has confirmed these very numbers never is.
    DataError ``month_closed``; NotFoundError for a named person beyond the scope.
    """
    async with db.writing() as connection:
        refuse_closed([month_span(month)[0]], await closing_queries.hold_closed_months(connection))
        known = await confirmations(connection, act.scope, month, narrow)
        if beyond := set(people) - set(known):
            raise NotFoundError(f"{min(beyond)} has nothing to confirm in {month}, or is not in scope")
        wanted = ("not_asked", "outdated", "asked", "objected") if again else ("not_asked", "outdated")
        chosen = [known[employee] for employee in sorted(people or known)]
        chosen = [one for one in chosen if one.state in wanted]
        if not chosen:
            return 0
        await closing_queries.put_confirmations(connection, [_asked(one, month, act) for one in chosen])
        action = "confirmation.remind" if again else "confirmation.ask"
        asked = [one.employee for one in chosen]
        await log_queries.append(connection, act.entry(action, month, people=len(asked), first=asked[0]))
        topics = {f"month:{month}", *(f"employee:{employee}" for employee in asked)}
        await change_queries.note_changes(connection, topics, act.at_ms)
    return len(chosen)


async def answer(
    db: Database, act: Act, month: Month, said: Answer, comment: str, *, shown: Mapping[str, int]
) -> Confirmation:
    """Confirm one's own month, or object to it with a comment; ``shown`` are the numbers that were on the screen.

    DataError ``sums_changed`` when they are others by now, ``comment_missing`` for an objection without a word,
    ``month_closed``, ``nothing_to_confirm`` for a month without records.
    """
    employee = act.viewer.employee
    if employee is None:
        raise NotFoundError(f"{act.login} is not an employee")
    if said == "objected" and not comment.strip():
        raise DataError("an objection needs a comment: which day, and what is wrong", "comment_missing")
    scope = Scope(employee=employee)
    async with db.writing() as connection:
        refuse_closed([month_span(month)[0]], await closing_queries.hold_closed_months(connection))
        known = (await confirmations(connection, scope, month)).get(employee)
        if known is None or not known.sums:
            raise DataError(f"{month} has no records to confirm", "nothing_to_confirm")
        if dict(shown) != dict(known.sums):
            raise DataError("the numbers changed since they were shown; look at them again", "sums_changed")
        row = known.row or _asked(known, month, act)
        row = replace(row, state=said, answered_ms=act.at_ms, comment=comment.strip(), sums=dict(known.sums))
        await closing_queries.put_confirmations(connection, [row])
        await log_queries.append(connection, act.entry(f"confirmation.{said}", f"{month}/{employee}"))
        await change_queries.note_changes(connection, [f"month:{month}", f"employee:{employee}"], act.at_ms)
    return replace(known, state=said, row=row)


def _state(row: ConfirmationRow | None, sums: Sums) -> State:
    if row is None:
        return "not_asked"
    match row.state:
        case "confirmed":
            return "confirmed" if dict(row.sums) == dict(sums) else "outdated"
        case "objected":
            return "objected"
        case _:
            return "asked"


def _asked(one: Confirmation, month: Month, act: Act) -> ConfirmationRow:
    return ConfirmationRow(one.employee, month, "asked", act.at_ms, act.login, None, "", {})
