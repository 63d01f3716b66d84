"""Today, what to do, and how fresh it is."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.answers.devices import ONLINE_MS
from server.api.context import Context
from server.api.views.base import NameView
from server.api.views.workbench import AttendedView, SiteSyncView, TodoKind, TodoView, WorkbenchView
from server.attendance.months import month_of
from server.services import approvals, calendars, contracts, exceptions
from server.store import (
    change_queries,
    checklist_queries,
    fleet_queries,
    page_queries,
    people_queries,
    workbench_queries,
)
from server.store.closing_queries import closed_months
from server.store.fleet_queries import GatewayRow, TerminalRow
from shared.clock import WallMs, from_ms

TREND_DAYS = 14
NAMES = 5
_NO_SHIFT = frozenset(("off", "rest_ot", "holiday_ot"))
_HEARD = ("online", "starting")


async def workbench(context: Context, viewer: Viewer) -> WorkbenchView:
    """The page as this viewer sees it."""
    scope, now_ms = viewer.scope, context.clocks.wall_ms()
    async with context.db.reading() as connection:
        zone = await zone_of(connection, viewer, context.config.zone)
        today = from_ms(now_ms).astimezone(zone).date()
        day = await page_queries.newest_result_date(connection, scope) or today
        counts = await page_queries.status_counts(connection, scope, day)
        trend = await workbench_queries.attended(connection, scope, day, TREND_DAYS)
        gateways = await fleet_queries.gateway_rows(connection)
        terminals = await fleet_queries.terminal_rows(connection)
        return WorkbenchView(
            date=day,
            is_today=day == today,
            scheduled=sum(number for status, number in counts.items() if status not in _NO_SHIFT),
            counts=counts,
            trend=[AttendedView.model_validate(row) for row in trend],
            todo=[
                *await _people_todo(connection, viewer, day, today, now_ms),
                *await _company_todo(connection, viewer, today, now_ms),
                *(_devices_todo(gateways, terminals, now_ms) if scope.everyone else ()),
            ],
            sites=await _sites(connection, scope, gateways, terminals, now_ms),
            month=month_of(day),
            now_ms=now_ms,
            version=await change_queries.newest_change(connection, f"day:{day}"),
        )


async def _people_todo(
    connection: AsyncConnection, viewer: Viewer, day: dt.date, today: dt.date, now_ms: WallMs
) -> list[TodoView]:
    scope, found = viewer.scope, []
    if viewer.may("exceptions.decide"):
        question = exceptions.Question(day.replace(day=1), day, undecided=True)
        open_ones = [one for one in await exceptions.find(connection, scope, question) if not one.closed]
        found.append(_todo("exceptions", len(open_ones), month=month_of(day)))
    if viewer.may("requests.decide"):
        waiting = await approvals.waiting_for(connection, viewer, now_ms)
        found.append(_todo("approvals", len(waiting), [one.row.name for one in waiting]))
    if viewer.may("people.map"):
        strangers = await people_queries.unmatched_rows(connection, scope)
        found.append(_todo("unmatched", len(strangers), [row.user_code for row in strangers]))
    if viewer.may("contracts.read"):
        known = await contracts.contracts(connection, scope, today)
        ending = sorted((one for one in known if one.standing in ("expiring", "expired")), key=contracts.by_end)
        found.append(_todo("contracts", len(ending), [one.name for one in ending]))
        trials = {one.employee: one.name for one in known if one.probation_soon}
        found.append(_todo("probation", len(trials), list(trials.values())))
    return found


async def _company_todo(connection: AsyncConnection, viewer: Viewer, today: dt.date, now_ms: WallMs) -> list[TodoView]:
    found = []
    if viewer.may("months.read"):
        closed = await closed_months(connection)
        known = await checklist_queries.months_with_records(connection, viewer.scope)
        over = [month for month in known if month < month_of(today) and month not in closed]
        found.append(_todo("month", len(over), month=over[-1] if over else None))
    if viewer.may("calendar.write"):
        missing = await calendars.missing_years(connection, now_ms)
        year = min((one.year for one in missing), default=None)
        found.append(_todo("calendar", len(missing), [one.calendar for one in missing], year=year))
    return found


def _devices_todo(gateways: Sequence[GatewayRow], terminals: Sequence[TerminalRow], now_ms: WallMs) -> list[TodoView]:
    quiet = [row for row in gateways if row.status == "active" and not _online(row, now_ms)]
    unheard = {row.id for row in quiet}
    silent = [
        row
        for row in terminals
        if row.gateway is not None
        and row.gateway not in unheard
        and (row.health is None or row.health.state not in _HEARD)
    ]
    return [
        _todo("gateways", len(quiet), [row.name for row in quiet]),
        _todo("terminals", len(silent), [row.name for row in silent]),
    ]


async def _sites(
    connection: AsyncConnection,
    scope: Scope,
    gateways: Sequence[GatewayRow],
    terminals: Sequence[TerminalRow],
    now_ms: WallMs,
) -> list[SiteSyncView]:
    zones = await workbench_queries.site_zones(connection, scope)
    found = []
    for site in await people_queries.site_names(connection, scope):
        own = [row for row in gateways if row.site == site.id and row.status == "active"]
        punches = [row.last_event_ms for row in terminals if row.site == site.id and row.last_event_ms is not None]
        contacts = [row.last_seen_ms for row in own if row.last_seen_ms is not None]
        found.append(
            SiteSyncView(
                site=NameView.model_validate(site),
                zone=zones[site.id],
                last_punch_ms=max(punches, default=None),
                last_contact_ms=max(contacts, default=None),
                silent=bool(own) and not any(_online(row, now_ms) for row in own),
            )
        )
    return found


def _online(row: GatewayRow, now_ms: WallMs) -> bool:
    return row.last_seen_ms is not None and now_ms - row.last_seen_ms < ONLINE_MS


def _todo(
    kind: TodoKind, count: int, names: Sequence[str] = (), *, month: str | None = None, year: int | None = None
) -> TodoView:
    return TodoView(kind=kind, count=count, names=list(names[:NAMES]), month=month, year=year)
