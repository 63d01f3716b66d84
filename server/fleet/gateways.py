"""Gateways come and go: an id and a password at the start, a revocation at the end."""

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.fleet.passwords import hash_password, new_password
from server.store import fleet_queries, log_queries
from server.store.database import Database
from shared.clock import WallMs
from shared.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a gateway needs to connect; the password is shown once and kept nowhere."""

    gateway: str
    password: str


async def known_site(connection: AsyncConnection, site: str) -> None:
    """ConfigError unless somebody added the site."""
    known = await fleet_queries.site_ids(connection)
    if site not in known:
        have = f"there is {', '.join(sorted(known))}" if known else "there is none yet"
        raise ConfigError(f"site {site!r} does not exist, {have}; add it with `muster server sites add {site}`")


async def add_gateway(db: Database, actor: str, name: str, site: str | None, now_ms: WallMs) -> Credentials:
    """A new gateway with a random id and password; ConfigError for a site nobody added."""
    made = Credentials(f"gw-{secrets.token_hex(5)}", new_password())
    async with db.writing() as connection:
        if site is not None:
            await known_site(connection, site)
        hashed = hash_password(made.password)
        await fleet_queries.add_gateway(connection, made.gateway, name, site=site, password_hash=hashed, at_ms=now_ms)
        entry = log_queries.Entry(now_ms, actor, "gateway.add", made.gateway, detail={"name": name, "site": site})
        await log_queries.append(connection, entry)
    return made


async def renew_password(db: Database, actor: str, gateway: str, now_ms: WallMs) -> Credentials:
    """A new password for a known gateway; its buffer and id stay."""
    made = Credentials(gateway, new_password())
    async with db.writing() as connection:
        if not await fleet_queries.set_gateway_password(connection, gateway, hash_password(made.password)):
            raise _unknown(gateway)
        await log_queries.append(connection, log_queries.Entry(now_ms, actor, "gateway.password", gateway))
    return made


async def revoke_gateway(db: Database, actor: str, gateway: str, now_ms: WallMs) -> None:
    """Ingest quarantines what it sends from now on; the embedded broker follows in a second, Mosquitto by its files."""
    async with db.writing() as connection:
        if not await fleet_queries.set_gateway_status(connection, gateway, "revoked"):
            raise _unknown(gateway)
        await log_queries.append(connection, log_queries.Entry(now_ms, actor, "gateway.revoke", gateway))


def _unknown(gateway: str) -> ConfigError:
    return ConfigError(f"gateway {gateway!r} does not exist; `muster server gateways list` shows all ids")
