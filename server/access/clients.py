"""Programs that fetch figures: what a token may be good for, and for how long."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from shared.clock import WallMs

ClientPermission: TypeAlias = Literal["payroll.read"]
CLIENT_PERMISSIONS: tuple[ClientPermission, ...] = get_args(ClientPermission)

DAY_MS = 86_400_000
LONGEST_DAYS = 366
"""A token that nobody renews ends."""
TOUCH_MS = 60_000
"""The last use is written at most this often."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that showed a good token."""

    id: int
    name: str
    permissions: frozenset[str]

    @property
    def actor(self) -> str:
        """Who it is in the operation log."""
        return f"client {self.name}"


def is_good(expires_ms: WallMs, revoked_ms: WallMs | None, now_ms: WallMs) -> bool:
    """Whether a token still counts."""
    return revoked_ms is None and now_ms < expires_ms
