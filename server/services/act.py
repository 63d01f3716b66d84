"""Somebody signed in who changes something: whose scope it has, who signs for it, when it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.services.accounts import Caller
from server.store.log_queries import Entry
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class Act:
    """A viewer's call."""

    viewer: Viewer
    caller: Caller

    @property
    def login(self) -> str:
        """Who signs for it."""
        return self.viewer.login

    @property
    def scope(self) -> Scope:
        """Whom it may be about."""
        return self.viewer.scope

    @property
    def at_ms(self) -> WallMs:
        """When it was asked for."""
        return self.caller.at_ms

    def entry(
        self,
        action: str,
        subject: str,
        result: Literal["done", "refused"] = "done",
        **detail: str | int | bool | Sequence[str] | None,
    ) -> Entry:
        """For the operation log; no secrets and no pay data in ``detail``."""
        caller = self.caller
        return Entry(caller.at_ms, self.login, action, subject, result, caller.ip, caller.request_id, detail)
