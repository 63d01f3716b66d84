"""Files of people: new ones, changes as of a date, contracts and numbers on terminals; undone exactly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.people.person import Person
from server.people.person_rows import FIELDS, PersonRow, read_row
from server.services.import_kind import (
    Applied,
    Before,
    Checked,
    ImportField,
    ImportKind,
    Question,
    RowChange,
    RowProblem,
    Undone,
    Who,
)
from server.services.people import Number, give_number, take_number
from server.services.people_changes import store_people
from server.services.people_plan import BadRowError, Known, plan_row
from server.store import attendance_queries, page_queries, people_queries, post_queries
from server.store.attendance_queries import EmployeeDay
from server.store.closing_queries import closed_months
from shared.errors import DataError


@dataclass(slots=True)
class PeoplePlan:
    """What good rows ask for."""

    people: list[tuple[Person | None, Person]] = field(default_factory=list)
    numbers: list[tuple[Number, str]] = field(default_factory=list)
    departments: list[dict[str, Any]] = field(default_factory=list)
    positions: list[dict[str, Any]] = field(default_factory=list)


async def check(connection: AsyncConnection, question: Question) -> Checked:
    """Read every row, and say what it would change."""
    rows = [read_row(row.number, _cell(question, row)) for row in question.sheet.rows]
    known = await _known(connection, question, {row.id for row in rows if row.id})
    plan = PeoplePlan()
    problems = _twice(rows)
    changes: list[RowChange] = []
    added = changed = same = 0
    for row in rows:
        if bad := [RowProblem(row.number, one.field, one.code, one.parameters) for one in row.bad]:
            problems += bad
            continue
        before = known.people.get(row.id)
        mark = known.mark()
        try:
            after, numbers = plan_row(row, before, known)
        except BadRowError as error:
            known.back_to(mark)
            problems += [RowProblem(row.number, one.field, one.code, one.parameters) for one in error.bad]
            continue
        if before == after and not numbers:
            same += 1
            continue
        added, changed = added + (before is None), changed + (before is not None)
        if before != after:
            plan.people.append((before, after))
        plan.numbers += [(number, row.id) for number in numbers]
        kind: Literal["added", "changed"] = "added" if before is None else "changed"
        changes.append(RowChange(row.number, kind, row.id, after.name, _told(before, after, numbers, known)))
    plan.departments, plan.positions = known.new_departments, known.new_positions
    problems.sort(key=lambda problem: problem.row or 0)
    return Checked(plan, added, changed, same, problems, changes)


async def apply(connection: AsyncConnection, question: Question, checked: Checked) -> Applied:
    """Write what the check found."""
    plan: PeoplePlan = checked.plan
    for values in plan.departments:
        await post_queries.put_row(connection, "departments", values)
    for values in plan.positions:
        await post_queries.put_row(connection, "positions", values)
    stored = await store_people(connection, plan.people, question.who.now_ms)
    days: set[EmployeeDay] = set()
    punches = 0
    for number, employee in plan.numbers:
        found, touched = await give_number(
            connection, number, await _standing(connection, question.who, employee), question.who.now_ms
        )
        punches, days = punches + found, days | touched
    await attendance_queries.touch_days(connection, days)
    before = {
        "people": [[msgspec.to_builtins(old), msgspec.to_builtins(new)] for old, new in plan.people],
        "numbers": [[number.user_group, number.user_code, employee] for number, employee in plan.numbers],
        "departments": [values["id"] for values in plan.departments],
        "positions": [values["id"] for values in plan.positions],
    }
    topics = ["people", "unmatched", *(f"employee:{new.id}" for _, new in plan.people)]
    return Applied(before, {"punches": punches, "days": stored.days + len(days)}, topics)


async def undo(connection: AsyncConnection, who: Who, before: Before) -> Undone:
    """Put everything back; DataError ``changed_since`` with whoever or whatever was changed meanwhile."""
    pairs = msgspec.convert(before["people"], list[tuple[Person | None, Person]])
    now = await post_queries.people_by_id(connection, {after.id for _, after in pairs})
    for _, after in pairs:
        if now.get(after.id) != after:
            raise _since("employee", f"{after.id} {after.name}")
    new = {after.id for old, after in pairs if old is None}
    days: set[EmployeeDay] = set()
    for group, code, employee in before["numbers"]:
        number = Number(group, code)
        days |= await take_number(connection, number, await _standing(connection, who, employee), who.now_ms)
    await store_people(connection, [(after, old) for old, after in pairs if old is not None], who.now_ms)
    for _, after in pairs:
        if after.id in new:
            if found := await post_queries.in_the_way(connection, after.id):
                raise _since("employee", f"{after.id} {after.name}: {', '.join(found)}")
            await post_queries.remove_person(connection, after.id)
    await attendance_queries.touch_days(connection, ((one, day) for one, day in days if one not in new))
    await _remove_organisation(connection, before)
    topics = ["people", "unmatched", *(f"employee:{after.id}" for _, after in pairs)]
    return Undone({"people": len(pairs), "numbers": len(before["numbers"])}, topics)


async def _remove_organisation(connection: AsyncConnection, before: Before) -> None:
    used = await post_queries.used_departments(connection)
    for name in reversed(before["departments"]):
        rows = await post_queries.department_rows(connection)
        if name in used or any(row.parent == name for row in rows.values()):
            raise _since("department", name)
        await post_queries.remove_row(connection, "departments", name)
    used = await post_queries.used_positions(connection)
    for name in before["positions"]:
        if name in used:
            raise _since("position", name)
        await post_queries.remove_row(connection, "positions", name)


async def _known(connection: AsyncConnection, question: Question, people: set[str]) -> Known:
    departments = await post_queries.department_rows(connection)
    positions = await post_queries.position_rows(connection)
    return Known(
        people=await post_queries.people_by_id(connection, people),
        departments={row.id: (row.parent, row.name_zh, row.name_en) for row in departments.values()},
        positions={row.id: (row.name_zh, row.name_en) for row in positions.values()},
        sites=await post_queries.site_rows(connection),
        groups=await people_queries.user_groups(connection),
        numbers=await people_queries.mapped_numbers(connection),
        closed=frozenset(await closed_months(connection)),
        create_missing=question.options["create_missing"] is True,
        effective_on=_effective(question),
        now_ms=question.who.now_ms,
    )


def _effective(question: Question) -> date | None:
    text = str(question.options["effective_on"])
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise DataError(f"effective_on {text[:20]!r}: expected YYYY-MM-DD", "bad_option") from error


async def _standing(connection: AsyncConnection, who: Who, employee: str) -> page_queries.PersonRow:
    person = await page_queries.person(connection, who.scope, employee)
    if person is None:
        raise _since("employee", employee)
    return person


def _cell(question: Question, row: Any) -> Any:
    return lambda name: question.text(row, name)


def _twice(rows: list[PersonRow]) -> list[RowProblem]:
    first: dict[str, int] = {}
    found = []
    for row in rows:
        if row.id and row.id in first:
            found.append(RowProblem(row.number, "id", "twice", {"value": row.id, "other_row": str(first[row.id])}))
        first.setdefault(row.id, row.number)
    return found


def _told(before: Person | None, after: Person, numbers: list[Number], known: Known) -> Mapping[str, tuple[str, str]]:
    old = dict(_texts(before, known)) if before is not None else {}
    new = dict(_texts(after, known))
    told = {name: (old.get(name, ""), text) for name, text in new.items() if text != old.get(name, "")}
    told |= {name: (text, "") for name, text in old.items() if name not in new and text}
    if numbers:
        told["numbers"] = ("", ", ".join(map(str, numbers)))
    return told


def _texts(person: Person, known: Known) -> Iterator[tuple[str, str]]:
    for one in fields(Person):
        value = getattr(person, one.name)
        if one.name not in ("id", "posts", "contracts") and value is not None:
            yield one.name, str(value)
    post = person.posts[-1]
    yield "department", known.path(post.department)
    yield "site", known.sites[post.site].name_zh
    yield "position", known.positions.get(post.position, (post.position, ""))[0]
    if len(person.posts) > 1:
        yield "post_from", post.from_on.isoformat()
    if person.contracts:
        contract = person.contracts[-1]
        yield "contract_kind", contract.kind
        yield "contract_from", contract.from_on.isoformat()
        yield "contract_to", contract.to_on.isoformat() if contract.to_on else ""
        period = f" {contract.hours_period}" if contract.hours_period else ""
        yield "work_system", contract.work_system + period


def _since(what: str, name: str) -> DataError:
    return DataError(f"{what} {name} was changed since", "changed_since", {what: name})


PEOPLE = ImportKind(
    "people",
    "people.write",
    tuple(ImportField(name, headings, required) for name, headings, required in FIELDS),
    check,
    apply,
    undo,
    options={"create_missing": False, "effective_on": ""},
    gives_punches=True,
)
