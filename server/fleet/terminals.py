"""Which terminal belongs to which gateway: a terminal that was never assigned to the sender is quarantined."""

from dataclasses import dataclass

from server.fleet.gateways import known_site
from server.store import fleet_queries, log_queries
from server.store.database import Database
from server.store.fleet_queries import Kind
from shared.clock import WallMs
from shared.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TerminalFacts:
    """What a person says of a terminal when assigning it."""

    serial: str
    """The device's own serial number, or its configured name where it has none."""
    kind: Kind = "terminal"
    name: str | None = None
    user_group: str | None = None
    """Terminals of one group share user numbers; the site by default."""
    site: str | None = None
    """The gateway's site by default."""
    profile: str | None = None


async def assign_terminal(db: Database, actor: str, facts: TerminalFacts, gateway: str, now_ms: WallMs) -> bool:
    """Give a terminal to a gateway; False when it was there already. ConfigError for an unknown gateway or site."""
    async with db.writing() as connection:
        owners = {row.id: row for row in await fleet_queries.gateway_rows(connection)}
        owner = owners.get(gateway)
        if owner is None or owner.status != "active":
            raise ConfigError(
                f"gateway {gateway!r} {'is revoked' if owner else 'does not exist'}; "
                "`muster server gateways list` shows all, `gateways add NAME` makes one"
            )
        if facts.site is not None:
            await known_site(connection, facts.site)
        site = facts.site or owner.site
        await fleet_queries.put_terminal(
            connection,
            serial=facts.serial,
            name=facts.name or facts.serial,
            kind=facts.kind,
            user_group=facts.user_group or site or "default",
            site=site,
            profile=facts.profile,
        )
        moved = await fleet_queries.assign_terminal(connection, facts.serial, gateway, now_ms)
        detail = {"gateway": gateway, "kind": facts.kind, "group": facts.user_group, "site": site}
        entry = log_queries.Entry(now_ms, actor, "terminal.assign", facts.serial, detail=detail)
        await log_queries.append(connection, entry)
    return moved


async def release_terminal(db: Database, actor: str, serial: str, now_ms: WallMs) -> None:
    """Take a terminal from its gateway; ConfigError when it belongs to none."""
    async with db.writing() as connection:
        if not await fleet_queries.release_terminal(connection, serial, now_ms):
            raise ConfigError(f"terminal {serial!r} belongs to no gateway; `muster server terminals list` shows all")
        await log_queries.append(connection, log_queries.Entry(now_ms, actor, "terminal.release", serial))
