"""Gateways, terminals and scanners, and which of them need a person."""

from server.access.scope import Scope
from server.api.answers.names import names
from server.api.context import Context
from server.api.views.devices import AlarmView, DevicesView, GatewayView, TerminalView
from server.store import change_queries, fleet_queries, people_queries
from server.store.fleet_queries import GatewayRow, TerminalRow
from shared.clock import WallMs

ONLINE_MS = 90_000
"""A gateway tells of its health every 30 s; the third miss counts."""
DRIFT_MS = 30_000
"""A clock further off than this is corrected by AR-3 and should be set."""
NEARLY_FULL_PCT = 80


async def devices(context: Context) -> DevicesView:
    """All of them: whoever looks after devices does so at every site, and no row is about a person."""
    now_ms = context.clocks.wall_ms()
    async with context.db.reading() as connection:
        return DevicesView(
            sites=names(await people_queries.site_names(connection, Scope.system())),
            gateways=[_gateway(row, now_ms) for row in await fleet_queries.gateway_rows(connection)],
            terminals=[_terminal(row) for row in await fleet_queries.terminal_rows(connection)],
            alarms=[AlarmView.model_validate(row) for row in await fleet_queries.open_alarms(connection)],
            quarantined=await fleet_queries.open_quarantine(connection),
            now_ms=now_ms,
            version=await change_queries.newest_change(connection, "devices"),
        )


def _gateway(row: GatewayRow, now_ms: WallMs) -> GatewayView:
    health = row.health
    online = row.status == "active" and row.last_seen_ms is not None and now_ms - row.last_seen_ms < ONLINE_MS
    troubled = health is not None and (bool(health.alarms) or health.quota_used_pct >= NEARLY_FULL_PCT)
    return GatewayView(
        id=row.id,
        name=row.name,
        site=row.site,
        status="active" if row.status == "active" else "revoked",
        online=online,
        last_seen_ms=row.last_seen_ms,
        backlog=health.backlog if health else None,
        oldest_unacked_ms=health.oldest_unacked_ms if health else None,
        free_bytes=health.free_bytes if health else None,
        quota_used_pct=health.quota_used_pct if health else None,
        software=row.software,
        alarms=list(health.alarms) if health else [],
        attention=row.status == "active" and (not online or troubled),
    )


def _terminal(row: TerminalRow) -> TerminalView:
    health = row.health
    return TerminalView(
        serial=row.serial,
        name=row.name,
        site=row.site,
        profile=row.profile,
        kind=row.kind,
        gateway=row.gateway,
        state=health.state if health else "unknown",
        last_contact_ms=health.last_contact_ms if health else None,
        last_event_ms=row.last_event_ms,
        drift_ms=health.drift_ms if health else None,
        problem=health.problem if health else None,
        firmware=health.firmware if health else None,
        users=health.users if health else None,
        log_used=health.log_used if health else None,
        log_capacity=health.log_capacity if health else None,
        attention=row.gateway is not None and _needs_somebody(row),
    )


def _needs_somebody(row: TerminalRow) -> bool:
    health = row.health
    if health is None:
        return True
    drifted = health.drift_ms is not None and abs(health.drift_ms) > DRIFT_MS
    used, capacity = health.log_used, health.log_capacity
    full = used is not None and capacity is not None and used * 100 >= capacity * NEARLY_FULL_PCT
    return health.state not in ("online", "starting") or health.problem is not None or drifted or full
