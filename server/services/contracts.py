"""Labour contracts: how they stand, what is due, pay for who asks with a reason, entries by hand."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.connectors.mapping import Mapped
from server.connectors.source_file import Stream
from server.facts.people import LabourContract
from server.people.contract_standing import STANDINGS, Reminders, Standing, Term, probation_soon, standing
from server.services.act import Act
from server.services.fact_store import Arrival, store_page
from server.services.sealing import fact_place
from server.store import contract_queries, fact_queries, log_queries, page_queries, source_queries
from server.store.contract_queries import BasicRow, ContractRow, ProbationRow
from server.store.database import Database
from server.store.fact_rows import unsealed_values
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.sealer import NO_KEYS, required_sealer, sealer_of
from shared.errors import ConfigError, DataError

FACT = "labour_contract"
MANUAL = "manual"
"""Source of what is entered by hand."""
PEOPLE = "people"
"""Where contracts are from that only the page of people has: dates and kind, no pay."""
LOGGED = ("contract.pay", "contract.put", "contract.remove")
_STREAM = Stream.model_validate(
    {"fact": FACT, "key": "key", "map": {"employee_key": "employee", "starts_on": "starts_on"}}
)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract and how it stands; without pay."""

    source: str
    key: str
    employee: str | None
    name: str
    """The source's own id where it is nobody's yet."""
    department: str | None
    starts_on: dt.date
    ends_on: dt.date | None
    kind: str | None
    position: str | None
    duties: str | None
    pay_grade: str | None
    has_pay: bool
    standing: Standing
    days_left: int | None
    """Until its last day, which counts; None without one, and for one that is over."""
    probation_ends_on: dt.date | None
    probation_soon: bool


@dataclass(frozen=True, slots=True)
class ContractEdit:
    """A contract as it shall be; ``keep_pay``: the amounts stay as they are stored."""

    employee: str
    starts_on: dt.date
    ends_on: dt.date | None
    kind: str | None
    position: str | None
    duties: str | None
    pay_grade: str | None
    pay: dict[str, int | None]
    keep_pay: bool


async def contracts(connection: AsyncConnection, scope: Scope, today: dt.date) -> list[Contract]:
    """Contracts of people in scope, what is most urgent first."""
    reminders = await contract_queries.reminders(connection)
    rows = await contract_queries.contract_rows(connection, scope)
    known = {(row.employee, row.starts_on) for row in rows}
    basic = [
        row
        for row in await contract_queries.basic_rows(connection, scope)
        if (row.employee, row.starts_on) not in known
    ]
    probations = {row.employee: row for row in await contract_queries.probation_rows(connection, scope)}
    both: list[ContractRow | BasicRow] = [*rows, *basic]
    newest: dict[str, dt.date] = {}
    for row in both:
        if row.employee is not None:
            newest[row.employee] = max(newest.get(row.employee, row.starts_on), row.starts_on)
    found = [_contract(row, newest, probations, today, reminders) for row in both]
    return sorted(found, key=lambda one: (STANDINGS.index(one.standing), *by_end(one)))


async def contract(connection: AsyncConnection, scope: Scope, source: str, key: str, today: dt.date) -> Contract:
    """One contract; NotFoundError when there is none in scope."""
    found = (one for one in await contracts(connection, scope, today) if (one.source, one.key) == (source, key))
    if (one := next(found, None)) is None:
        raise NotFoundError(f"contract {source}/{key}")
    return one


async def can_keep_pay(connection: AsyncConnection) -> bool:
    """Whether there are keys, and the master key that opens them."""
    try:
        return await sealer_of(connection) is not None
    except ConfigError:
        return False


async def log_of(connection: AsyncConnection, source: str, key: str) -> list[Entry]:
    """Who has read the pay of a contract and who has changed it, newest first."""
    return await log_queries.entries_about(connection, _object(source, key), LOGGED)


async def read_pay(db: Database, act: Act, source: str, key: str, reason: str) -> dict[str, int | None]:
    """Pay of a contract in minor units; noted with the reason before it is given, also where there is none.

    DataError ``no_keys`` where the master key is missing.
    """
    async with db.writing() as connection:
        rows = await contract_queries.contract_rows(connection, act.scope, (source, key))
        if not rows:
            raise NotFoundError(f"contract {source}/{key}")
        pay = await _pay(connection, rows[0])
        await log_queries.append(connection, act.entry("contract.pay", _object(source, key), reason=reason))
    return pay


async def put(db: Database, act: Act, edit: ContractEdit, zone: ZoneInfo) -> str:
    """Add a contract by hand, or change the one of that person and first day; its key. DataError where it is none."""
    if edit.ends_on is not None and edit.ends_on < edit.starts_on:
        raise DataError("a contract ends before it begins", "contract_ends_first")
    key = f"{edit.employee}|{edit.starts_on}"
    async with db.writing() as connection:
        if await page_queries.person(connection, act.scope, edit.employee) is None:
            raise NotFoundError(f"employee {edit.employee}")
        pay = edit.pay
        before = await contract_queries.contract_rows(connection, act.scope, (MANUAL, key))
        if edit.keep_pay and before:
            pay = await _pay(connection, before[0])
        if any(value is not None for value in pay.values()) and not await can_keep_pay(connection):
            raise DataError(NO_KEYS, "no_keys")
        await contract_queries.link_own_id(connection, MANUAL, edit.employee)
        started = {"source": MANUAL, "stream": FACT, "kind": "file", "map_version": 1, "actor": act.login}
        run = await source_queries.begin_run(connection, {**started, "started_ms": act.at_ms, "state": "ok"})
        arrival = Arrival(MANUAL, _STREAM, zone, run, act.at_ms)
        counts = await store_page(connection, arrival, [Mapped(1, _row(edit, key, pay, zone), {})])
        outcome = {"ended_ms": act.at_ms, "added": counts.added, "changed": counts.changed}
        await source_queries.set_run(connection, run, {**outcome, "unchanged": counts.unchanged})
        await log_queries.append(connection, act.entry("contract.put", _object(MANUAL, key), new=not before))
    return key


async def remove(db: Database, act: Act, key: str) -> None:
    """Take a contract back that was entered by hand; those of a system are changed there."""
    async with db.writing() as connection:
        if not await contract_queries.contract_rows(connection, act.scope, (MANUAL, key)):
            raise NotFoundError(f"contract {MANUAL}/{key}")
        await fact_queries.delete_rows(connection, FACT_TABLES[FACT], MANUAL, [key], run=0, at_ms=act.at_ms)
        await log_queries.append(connection, act.entry("contract.remove", _object(MANUAL, key)))


async def put_reminders(db: Database, act: Act, wanted: Reminders) -> None:
    """How many days ahead ends are spoken of, for everybody."""
    async with db.writing() as connection:
        await contract_queries.put_reminders(connection, wanted, act.login, act.at_ms)
        entry = act.entry(
            "contract.reminders", "", expiry_days=wanted.expiry_days, probation_days=wanted.probation_days
        )
        await log_queries.append(connection, entry)


def by_end(one: Contract) -> tuple[dt.date, str, str]:
    """Order by the last day, soonest first."""
    return one.ends_on or dt.date.max, one.name, one.key


def counted(found: Iterable[Contract]) -> dict[str, int]:
    """How many stand how, and how many probations end soon."""
    counts: dict[str, int] = dict.fromkeys((*STANDINGS, "probation"), 0)
    probations = set()
    for one in found:
        counts[one.standing] += 1
        if one.probation_soon:
            probations.add(one.employee)
    counts["probation"] = len(probations)
    return counts


def _contract(
    row: ContractRow | BasicRow,
    newest: dict[str, dt.date],
    probations: dict[str, ProbationRow],
    today: dt.date,
    reminders: Reminders,
) -> Contract:
    employee = row.employee
    last = newest.get(employee or "", row.starts_on) == row.starts_on
    stands = standing(Term(row.starts_on, row.ends_on, not last, row.left_on), today, reminders)
    probation = probations.get(employee or "") if last else None
    ahead = None if row.ends_on is None or stands == "ended" else (row.ends_on - today).days
    facts: dict[str, Any] = {"source": PEOPLE, "key": str(row.id)} if isinstance(row, BasicRow) else {}
    if isinstance(row, ContractRow):
        facts = {"source": row.source, "key": row.source_key, "duties": row.duties, "pay_grade": row.pay_grade}
    return Contract(
        source=facts["source"],
        key=facts["key"],
        employee=employee,
        name=row.name or (row.employee_key if isinstance(row, ContractRow) else ""),
        department=row.department,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        kind=row.kind,
        position=row.position,
        duties=facts.get("duties"),
        pay_grade=facts.get("pay_grade"),
        has_pay=isinstance(row, ContractRow) and row.sealed is not None,
        standing=stands,
        days_left=ahead,
        probation_ends_on=probation.ends_on if probation else None,
        probation_soon=probation is not None and probation_soon(probation.ends_on, probation.passed, today, reminders),
    )


async def _pay(connection: AsyncConnection, row: ContractRow) -> dict[str, int | None]:
    if row.sealed is None:
        return {}
    if not await can_keep_pay(connection):
        raise DataError(NO_KEYS, "no_keys")
    sealer = await required_sealer(connection)
    return unsealed_values(FACT, sealer.open(row.sealed, fact_place(FACT, row.source, row.source_key)))


def _row(edit: ContractEdit, key: str, pay: dict[str, int | None], zone: ZoneInfo) -> LabourContract:
    try:
        return LabourContract(
            source_key=key,
            occurred_at=dt.datetime.combine(edit.starts_on, dt.time(), zone),
            employee_key=edit.employee,
            starts_on=edit.starts_on,
            ends_on=edit.ends_on,
            kind=edit.kind,
            position=edit.position,
            duties=edit.duties,
            pay_grade=edit.pay_grade,
            **pay,
        )
    except ValidationError as error:
        fields = {str(problem["loc"][0]): problem["type"] for problem in error.errors(include_input=False)}
        raise DataError(f"contract: {', '.join(fields)} can not be so", "unusable", fields) from None


def _object(source: str, key: str) -> str:
    return f"{source}/{key}"
