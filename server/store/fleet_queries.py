"""Gateways, terminals, assignments, health and alarms. No row here is about a person, so none takes a scope."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Row, and_, exists, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import alarms, assignments, gateways, quarantine, sites, terminals
from server.store.upsert import insert_into
from shared.clock import WallMs
from shared.wire import Health, TerminalHealth

AlarmDetail: TypeAlias = Mapping[str, str | int | None]
Kind: TypeAlias = Literal["terminal", "scanner"]


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway and the last it told of itself."""

    id: str
    name: str
    site: str | None
    status: str
    created_ms: WallMs
    last_seen_ms: WallMs | None
    software: str | None
    health: Health | None


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """A terminal or scanner, the gateway it belongs to now, and the last that gateway told of it."""

    serial: str
    name: str
    site: str | None
    profile: str | None
    kind: Kind
    user_group: str
    gateway: str | None
    last_event_ms: WallMs | None
    health: TerminalHealth | None


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """Something that needs a person, and how often it was seen."""

    id: int
    kind: str
    subject: str
    detail: dict[str, str | int | None]
    raised_ms: WallMs
    last_ms: WallMs
    count: int


# --- gateways -------------------------------------------------------------------------------------------------------


async def add_gateway(
    connection: AsyncConnection, gateway: str, name: str, *, site: str | None, password_hash: str, at_ms: WallMs
) -> None:
    """Add an active gateway."""
    values = {"id": gateway, "name": name, "site": site, "password_hash": password_hash}
    await connection.execute(gateways.insert().values(**values, status="active", created_ms=at_ms))


async def gateway_rows(connection: AsyncConnection) -> list[GatewayRow]:
    """All gateways by name, revoked ones included."""
    rows = await connection.execute(select(gateways).order_by(gateways.c.name, gateways.c.id))
    return [_gateway(row) for row in rows]


async def set_gateway_status(connection: AsyncConnection, gateway: str, status: Literal["active", "revoked"]) -> bool:
    """Whether there is such a gateway; ingest refuses a revoked one from this commit on."""
    done = await connection.execute(update(gateways).where(gateways.c.id == gateway).values(status=status))
    return done.rowcount == 1


async def set_gateway_password(connection: AsyncConnection, gateway: str, password_hash: str) -> bool:
    """Whether there is such a gateway; its old password ends."""
    changed = update(gateways).where(gateways.c.id == gateway).values(password_hash=password_hash)
    return (await connection.execute(changed)).rowcount == 1


async def password_hashes(connection: AsyncConnection) -> dict[str, str]:
    """Broker password hashes of active gateways by id."""
    rows = await connection.execute(
        select(gateways.c.id, gateways.c.password_hash).where(gateways.c.status == "active")
    )
    return {row.id: row.password_hash for row in rows}


async def revoked_gateways(connection: AsyncConnection) -> frozenset[str]:
    """Ids of revoked gateways."""
    return frozenset(await connection.scalars(select(gateways.c.id).where(gateways.c.status == "revoked")))


async def note_seen(
    connection: AsyncConnection, gateway: str, at_ms: WallMs, machine: str | None = None, software: str | None = None
) -> str | None:
    """Write that a gateway spoke; returns the machine id known before, which differs when an image was cloned."""
    known = await connection.scalar(select(gateways.c.machine).where(gateways.c.id == gateway))
    values: dict[str, str | int] = {"last_seen_ms": at_ms}
    values |= {key: value for key, value in (("machine", machine), ("software", software)) if value is not None}
    await connection.execute(update(gateways).where(gateways.c.id == gateway).values(**values))
    return known


async def put_health(connection: AsyncConnection, gateway: str, health: Health, at_ms: WallMs) -> None:
    """Keep a gateway's telemetry and that of those terminals that belong to it now."""
    changed = {"health": msgspec.to_builtins(health), "software": health.software, "last_seen_ms": at_ms}
    await connection.execute(update(gateways).where(gateways.c.id == gateway).values(**changed))
    for terminal in health.terminals:
        owned = exists().where(*_assigned_now(gateway), assignments.c.terminal == terminals.c.serial)
        row = update(terminals).where(terminals.c.serial == terminal.terminal, owned)
        await connection.execute(row.values(health=msgspec.to_builtins(terminal)))


# --- terminals ------------------------------------------------------------------------------------------------------


async def put_terminal(
    connection: AsyncConnection,
    *,
    serial: str,
    name: str,
    kind: Kind,
    user_group: str,
    site: str | None = None,
    profile: str | None = None,
) -> None:
    """Add a terminal or change what is known of it."""
    values = {"name": name, "kind": kind, "user_group": user_group, "site": site, "profile": profile}
    statement = insert_into(connection, terminals).values(serial=serial, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["serial"], set_=values))


async def assign_terminal(connection: AsyncConnection, serial: str, gateway: str, at_ms: WallMs) -> bool:
    """Give a terminal to a gateway from now on; False when it belongs to it already. Past assignments stay."""
    now = select(assignments.c.id).where(*_assigned_now(gateway), assignments.c.terminal == serial)
    if await connection.scalar(now) is not None:
        return False
    open_ones = update(assignments).where(assignments.c.terminal == serial, assignments.c.to_ms.is_(None))
    await connection.execute(open_ones.values(to_ms=at_ms))
    added = insert_into(connection, assignments).values(terminal=serial, gateway=gateway, from_ms=at_ms)
    keys = ["terminal", "gateway", "from_ms"]
    await connection.execute(added.on_conflict_do_update(index_elements=keys, set_={"to_ms": None}))
    return True


async def release_terminal(connection: AsyncConnection, serial: str, at_ms: WallMs) -> bool:
    """Take a terminal from its gateway; what that gateway still holds of it stays welcome."""
    open_ones = update(assignments).where(assignments.c.terminal == serial, assignments.c.to_ms.is_(None))
    return (await connection.execute(open_ones.values(to_ms=at_ms))).rowcount > 0


async def owned_terminals(connection: AsyncConnection, gateway: str) -> frozenset[str]:
    """Terminals that belong to this gateway now or did in the past: a moved terminal leaves a backlog."""
    owned = select(assignments.c.terminal).where(assignments.c.gateway == gateway).distinct()
    return frozenset(await connection.scalars(owned))


async def terminal_rows(connection: AsyncConnection) -> list[TerminalRow]:
    """All terminals by name with their present gateway."""
    current = and_(assignments.c.terminal == terminals.c.serial, assignments.c.to_ms.is_(None))
    rows = await connection.execute(
        select(terminals, assignments.c.gateway)
        .select_from(terminals.outerjoin(assignments, current))
        .order_by(terminals.c.name, terminals.c.serial)
    )
    return [_terminal(row) for row in rows]


async def put_site(connection: AsyncConnection, site: str, name_zh: str, name_en: str, zone: str) -> None:
    """Add a site or change its names and zone."""
    values = {"name_zh": name_zh, "name_en": name_en, "zone": zone}
    statement = insert_into(connection, sites).values(id=site, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def site_ids(connection: AsyncConnection) -> frozenset[str]:
    """Ids of all sites."""
    return frozenset(await connection.scalars(select(sites.c.id)))


async def gateway_status(connection: AsyncConnection, gateway: str) -> str | None:
    """``active`` or ``revoked``; None for an id nobody added."""
    status: str | None = await connection.scalar(select(gateways.c.status).where(gateways.c.id == gateway))
    return status


# --- alarms ---------------------------------------------------------------------------------------------------------


async def raise_alarm(
    connection: AsyncConnection, kind: str, subject: str, detail: AlarmDetail, at_ms: WallMs, *, times: int = 1
) -> None:
    """Open an alarm, or count it again while it is open; the newest detail wins."""
    values = {"kind": kind, "subject": subject, "detail": dict(detail), "raised_ms": at_ms}
    statement = insert_into(connection, alarms).values(**values, last_ms=at_ms, count=times)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "subject"],
            index_where=alarms.c.cleared_ms.is_(None),
            set_={"count": alarms.c.count + times, "last_ms": at_ms, "detail": statement.excluded.detail},
        )
    )


async def clear_alarms(connection: AsyncConnection, kinds: Collection[str], subject: str, at_ms: WallMs) -> int:
    """Close the open alarms of these kinds about one subject; how many there were."""
    which = (alarms.c.kind.in_(kinds), alarms.c.subject == subject, alarms.c.cleared_ms.is_(None))
    return (await connection.execute(update(alarms).where(*which).values(cleared_ms=at_ms))).rowcount


async def open_alarms(connection: AsyncConnection) -> list[AlarmRow]:
    """Alarms nobody cleared yet, newest first."""
    columns = [alarms.c[field.name] for field in fields(AlarmRow)]
    rows = await connection.execute(
        select(*columns).where(alarms.c.cleared_ms.is_(None)).order_by(alarms.c.last_ms.desc())
    )
    return [AlarmRow(*row) for row in rows]


# --- quarantine -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A message or event that could not be an event; its raw bytes are kept apart."""

    id: int
    gateway: str
    stream: bytes | None
    seq: int | None
    code: str
    size: int
    received_ms: WallMs
    state: str


async def quarantine_rows(connection: AsyncConnection, limit: int, offset: int = 0) -> tuple[int, list[QuarantineRow]]:
    """How many rows there are, and a page of them, newest first."""
    columns = [c for c in quarantine.c if c.name not in ("raw", "digest")]
    newest = select(*columns, func.length(quarantine.c.raw).label("size")).order_by(quarantine.c.id.desc())
    total = await connection.scalar(select(func.count()).select_from(quarantine))
    rows = await connection.execute(newest.limit(limit).offset(offset))
    return total or 0, [
        QuarantineRow(r.id, r.gateway, r.stream, r.seq, r.code, r.size, r.received_ms, r.state) for r in rows
    ]


async def quarantine_raw(connection: AsyncConnection, row: int) -> bytes | None:
    """Raw bytes of one row; None when there is none."""
    raw: bytes | None = await connection.scalar(select(quarantine.c.raw).where(quarantine.c.id == row))
    return raw


async def open_quarantine(connection: AsyncConnection) -> int:
    """Rows that wait for a person."""
    return await connection.scalar(select(func.count()).where(quarantine.c.state == literal("open"))) or 0


# --- rows to values -------------------------------------------------------------------------------------------------


def _assigned_now(gateway: str) -> Sequence[ColumnElement[bool]]:
    return (assignments.c.gateway == gateway, assignments.c.to_ms.is_(None))


def _gateway(row: Row[Any]) -> GatewayRow:
    health = msgspec.convert(row.health, Health) if row.health else None
    return GatewayRow(row.id, row.name, row.site, row.status, row.created_ms, row.last_seen_ms, row.software, health)


def _terminal(row: Row[Any]) -> TerminalRow:
    health = msgspec.convert(row.health, TerminalHealth) if row.health else None
    return TerminalRow(
        row.serial, row.name, row.site, row.profile, row.kind, row.user_group, row.gateway, row.last_event_ms, health
    )
