"""What the rows of a Control iD terminal become."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.drivers.controlid.codec import GRANTED, Item, Row, User
from gateway.profile import utc_offset_s
from gateway.transports.log_place import EPOCH_SHIFT
from gateway.transports.source import Source
from shared.clock import DeviceSeconds, WallMs
from shared.keys import Event

UTC_EPOCH = "utc_epoch"
"""The terminal counts seconds of UTC, not of its local wall clock."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns rows of one terminal into events."""

    source: Source

    @property
    def is_utc(self) -> bool:
        """Whether its seconds are those of UTC."""
        return UTC_EPOCH in self.source.profile.quirks

    def is_punch(self, row: Row) -> bool:
        """Whether somebody known was let in."""
        granted = self.source.profile.codes.granted
        return row.event in (GRANTED if granted is None else granted) and row.user_id > 0

    def wall(self, time: int) -> tuple[DeviceSeconds, int]:
        """Second of the terminal's wall clock, and how far that is ahead of UTC."""
        if self.is_utc:
            offset_s = self.source.offset_at(time)
            return time + offset_s, offset_s
        return time, utc_offset_s(self.source.zone, time)

    def events(
        self,
        items: Iterable[Item],
        users: Mapping[int, User] | None,
        now_ms: WallMs,
        seen_ms: int,
        *,
        epoch: int = 0,
        drift_ms: int | None = None,
    ) -> list[Event]:
        """Punches and damaged rows; without ``users`` (a capture) the terminal's own number stands in."""
        found: list[Event] = []
        for item in items:
            if not isinstance(item, Row):
                found.append(self.source.damaged(item.reason, item.raw, now_ms, seen_ms))
            elif self.is_punch(item):
                second, offset_s = self.wall(item.time)
                found.append(
                    self.source.punch(
                        str(item.user_id) if users is None else user_text(item.user_id, users),
                        second,
                        item.raw_codes,
                        direction=self.source.profile.direction(item.portal),
                        method=self.source.profile.method(item.identifier),
                        offset_s=offset_s,
                        native_seq=native(epoch, item.number),
                        drift_ms=drift_ms,
                        seen_ms=seen_ms,
                    )
                )
        return found


def user_text(number: int, users: Mapping[int, User]) -> str:
    """The employee's registration; ``id:<n>`` for who has none, so that it is nobody else's registration."""
    user = users.get(number)
    return user.registration if user and user.registration else f"id:{number}"


def native(epoch: int, number: int) -> int:
    """The row's number; a cleared or reset log begins a new epoch above the terminal's own 40 bits."""
    return (epoch << EPOCH_SHIFT) | number if number < 1 << EPOCH_SHIFT else number
