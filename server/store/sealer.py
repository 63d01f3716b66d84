"""The data keys of a database, opened: what seals values before they are stored and opens them again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.crypto.envelope import Key, Place, key_number
from server.crypto.masters import Masters, place_of, wrapping
from server.crypto.provider import PROVIDERS, checked
from server.store import key_queries
from server.store.database import masters_of
from server.store.key_queries import DataKeyRow
from shared.errors import ConfigError

MOST_USES = 2**32
"""Values one key may seal: with random nonces more would risk a repeated one."""
NO_KEYS = "pay is kept encrypted, and there is no key yet: run `muster server keys init` (docs/howto/keys.md)"


@dataclass(slots=True, repr=False)
class Sealer:
    """The data keys of a database, for one transaction."""

    newest: Key
    digest: Key
    """For hashes that only who has the keys can compute; it does not change, so that what is unchanged stays so."""
    keys: dict[int, Key]
    used: int = 0
    """Values sealed so far."""

    def seal(self, plain: bytes, place: Place) -> bytes:
        """The value as it may be stored there."""
        self.used += 1
        return self.newest.seal(plain, place)

    def mac(self, data: bytes) -> bytes:
        """A hash under a key."""
        return self.digest.provider.mac(self.digest.secret, data)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The plain value; DataError ``sealed_changed`` where it was changed or moved."""
        number = key_number(sealed)
        if number not in self.keys:
            raise ConfigError(f"data key {number} is not in this database: restore the table data_keys with the rest")
        return self.keys[number].open(sealed, place)


async def sealer_of(connection: AsyncConnection) -> Sealer | None:
    """The opened data keys; None where no key was ever made. ConfigError when a master key is missing."""
    return sealer_from(await key_queries.data_key_rows(connection), masters_of(connection))


def sealer_from(rows: Sequence[DataKeyRow], masters: Masters) -> Sealer | None:
    """The same of data keys that were read."""
    if not rows:
        return None
    keys = {row.id: opened(row, masters) for row in rows}
    newest = {row.purpose: keys[row.id] for row in rows}
    return Sealer(newest["seal"], newest["digest"], keys)


async def required_sealer(connection: AsyncConnection) -> Sealer:
    """The opened data keys; ConfigError where there are none."""
    sealer = await sealer_of(connection)
    if sealer is None:
        raise ConfigError(NO_KEYS)
    return sealer


def opened(row: DataKeyRow, masters: Masters) -> Key:
    """A data key, unwrapped."""
    provider = checked(PROVIDERS[row.suite].name)  # type: ignore[index]
    secret = wrapping(row.master, masters, provider).open(row.wrapped, place_of(row.id))
    return Key(row.id, provider, secret)


async def count_uses(connection: AsyncConnection, sealer: Sealer) -> None:
    """Note how many values were sealed since; ConfigError when the key has done its share."""
    if not sealer.used:
        return
    number, more, sealer.used = sealer.newest.number, sealer.used, 0
    if await key_queries.count_uses(connection, number, more) > MOST_USES:
        raise ConfigError(f"data key {number} has sealed enough: run `muster server keys rotate`")


def is_older(sealer: Sealer, sealed: bytes) -> bool:
    """Whether another key than the newest has sealed the value."""
    return key_number(sealed) != sealer.newest.number
