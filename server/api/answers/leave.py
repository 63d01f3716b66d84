"""Leave types, balances and grants as answers."""

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.context import Context
from server.api.paging import Page
from server.api.views.leave import (
    BalancesView,
    BalanceView,
    BankedView,
    GrantBody,
    GrantedListView,
    GrantedView,
    LeaveTypeBody,
    LeaveTypesView,
    LeaveTypeView,
    LedgerView,
    PeopleBalancesView,
    PersonBalancesView,
    TakenView,
)
from server.requests.leave_types import LeaveType
from server.services import leave
from server.services.accounts import Caller
from server.services.leave import Balances, Grant
from server.store import asked_queries, change_queries, user_queries
from server.store.asked_queries import AskerRow
from server.store.scope_filter import Narrow
from shared.clock import WallMs, from_ms
from shared.errors import DataError

_SETTINGS = ("carry_until", "carry_most_min", "expires_months")


def type_view(found: LeaveType) -> LeaveTypeView:
    """A kind of leave."""
    names = ("id", "name_zh", "name_en", "paid", "balance", "unit_min", "file_from_min", "retired")
    return LeaveTypeView(
        **{name: getattr(found, name) for name in names}, **{name: found.settings.get(name) for name in _SETTINGS}
    )


def type_of(number: str, body: LeaveTypeBody) -> LeaveType:
    """A kind of leave as the service takes it."""
    settings = {name: value for name in _SETTINGS if (value := getattr(body, name)) is not None}
    return LeaveType(
        number,
        body.name_zh,
        body.name_en,
        body.paid,
        body.balance,
        body.unit_min,
        body.file_from_min,
        settings,
        body.retired,
    )


async def types(context: Context) -> LeaveTypesView:
    """All kinds of leave, retired ones too."""
    async with context.db.reading() as connection:
        found = await leave.leave_types(connection)
    return LeaveTypesView(rows=[type_view(one) for one in found.values()])


async def balances(context: Context, scope: Scope, employee: str, day: dt.date | None, now_ms: WallMs) -> BalancesView:
    """Balances of a person on a date, today without one."""
    async with context.db.reading() as connection:
        person = await asked_queries.asker(connection, scope, employee)
        if person is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        on = day or from_ms(now_ms).astimezone(ZoneInfo(person.zone)).date()
        _, found = await leave.balances(connection, scope, employee, on)
        version = await change_queries.newest_change(connection, f"employee:{employee}")
    return BalancesView(
        employee=person.id,
        name=person.name,
        zone=person.zone,
        date=on,
        types=[type_view(one.type) for one in found],
        balances=[_balance(one) for one in found],
        version=version,
    )


async def balances_of_many(
    context: Context,
    scope: Scope,
    department: str | None,
    part: str,
    now_ms: WallMs,
    *,
    day: dt.date | None,
    page: Page,
) -> PeopleBalancesView:
    """Balances of people in scope who are employed on a date; ``part`` is one of the name or number."""
    on = day or from_ms(now_ms).astimezone(context.config.zone).date()
    async with context.db.reading() as connection:
        narrow = Narrow()
        if department is not None:
            narrow = Narrow(with_those_below({department}, await user_queries.department_parents(connection)))
        people = _employed(await asked_queries.askers(connection, scope, None, narrow), on)
        people = [one for one in people if part.lower() in f"{one.name}\n{one.id}".lower()]
        people.sort(key=lambda one: (one.department, one.name, one.id))
        shown = people[page.offset : page.offset + page.limit]
        known = (await leave.leave_types(connection)).values()
        types = [one for one in known if one.balance != "none" and not one.retired]
        accounts = await leave.accounts_of(connection, [one.id for one in shown], types)
        version = await change_queries.newest_change(connection, "requests")
    rows = []
    for one in shown:
        found = {kind.id: leave.balance_on(kind, accounts[one.id, kind.id], on) for kind in types}
        rows.append(
            PersonBalancesView(
                employee=one.id,
                name=one.name,
                department=one.department,
                left={name: balance.left for name, balance in found.items()},
                given={name: balance.given for name, balance in found.items()},
            )
        )
    return PeopleBalancesView(
        total=len(people), date=on, types=[type_view(one) for one in types], rows=rows, version=version
    )


async def grant(context: Context, viewer: Viewer, body: GrantBody, caller: Caller) -> GrantedListView:
    """Look at a grant, or store it."""
    given = Grant(body.leave_type, body.minutes, body.from_on, body.until_on, body.kind, body.key, body.note)
    async with context.db.reading() as connection:
        people = await _people(context, viewer.scope, body)
        rows = await leave.preview_grant(connection, people, given)
    if not body.preview:
        rows = await leave.give(context.db, viewer.login, people, given, caller)
    views = [
        GrantedView(
            employee=row.employee, name=row.name, before_min=row.before, after_min=row.after, repeated=row.repeated
        )
        for row in rows
    ]
    return GrantedListView(stored=not body.preview, rows=views)


async def _people(context: Context, scope: Scope, body: GrantBody) -> list[AskerRow]:
    if (body.employees is None) == (body.department is None):
        raise DataError("name either people or a department", "bad_grant", {"field": "employees"})
    async with context.db.reading() as connection:
        if body.employees is not None:
            found = await asked_queries.askers(connection, scope, body.employees)
            if missing := sorted(set(body.employees) - {person.id for person in found}):
                raise DataError(
                    f"employees {', '.join(missing[:5])} are not there: mend the list",
                    "unknown_employee",
                    {"employees": ", ".join(missing[:20])},
                )
            return found
        below = with_those_below({body.department or ""}, await user_queries.department_parents(connection))
        found = await asked_queries.askers(connection, scope, None, Narrow(below))
    return _employed(found, body.from_on)


def _employed(people: Iterable[AskerRow], day: dt.date) -> list[AskerRow]:
    return [one for one in people if one.joined_on <= day and (one.left_on is None or one.left_on >= day)]


def _balance(found: Balances) -> BalanceView:
    account = found.account
    return BalanceView(
        type=found.type.id,
        given_min=found.given,
        used_min=found.used,
        asked_min=found.asked,
        left_min=found.left,
        ends_on=found.ends_on,
        ending_min=found.ending,
        ledger=[
            LedgerView.model_validate({n: getattr(row, n) for n in LedgerView.model_fields}) for row in account.grants
        ],
        taken=[
            TakenView.model_validate(
                {"id": row.id, "state": row.state, "start_ms": row.from_ms, "end_ms": row.to_ms, "minutes": row.minutes}
            )
            for row in account.taken
        ],
        banked=[BankedView(date=day, minutes=minutes) for day, minutes in account.banked],
    )
