"""AR-2: a terminal that numbers its records from the start again loses nothing, and IT is told.

Both punches count, as their business keys differ in user or second; what gives the restart away is a punch later than
all before it under a number that is not higher.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import fleet_queries, identity_queries
from server.store.identity_queries import LogEnd
from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs
from shared.punch import Punch

RESTARTED = "restarted_log"


async def watch_numbers(connection: AsyncConnection, fresh: Sequence[Punch], now_ms: WallMs) -> None:
    """Raise an alarm for each terminal among new punches whose numbers went back; remember where its log is now."""
    by_terminal: dict[str, list[LogEnd]] = {}
    for punch in fresh:
        second, number = punch.at_device, punch.native_seq
        if second is not None and number is not None and second >= CLOCK_SUSPECT_BEFORE_S:
            by_terminal.setdefault(punch.terminal, []).append(LogEnd(second, number))
    if not by_terminal:
        return
    known = await identity_queries.log_ends(connection, by_terminal)
    ends: dict[str, LogEnd] = {}
    for terminal, punches in sorted(by_terminal.items()):
        before = known.get(terminal)
        end, restart = follow(before, punches)
        if end is not None and end != before:
            ends[terminal] = end
        if restart is not None:
            was, now = restart
            detail: fleet_queries.AlarmDetail = {"number": now.number, "was": was.number}
            await fleet_queries.raise_alarm(connection, RESTARTED, terminal, detail, now_ms)
    await identity_queries.put_log_ends(connection, ends)


def follow(end: LogEnd | None, punches: Iterable[LogEnd]) -> tuple[LogEnd | None, tuple[LogEnd, LogEnd] | None]:
    """Where a log is after new punches, in any order, and the last place where its numbers went back."""
    restart = None
    for punch in sorted(punches):
        if end is None:
            end = punch
        elif punch.second > end.second:
            restart = (end, punch) if punch.number <= end.number else restart
            end = punch
        elif punch == end:  # new all the same: another user
            restart = end, punch
        elif punch.second == end.second and punch.number > end.number:
            end = punch
    return end, restart
