"""What needs a person, kept in the database so that a restart does not hide it."""

from gateway.buffer.connection import Connection
from shared.clock import WallMs

SHOWN_MS = 24 * 3_600_000
"""Running time for which an alarm is shown after it was raised last."""


def raise_alarm(connection: Connection, code: str, detail: str, wall_ms: WallMs, age_ms: int) -> None:
    """Show an alarm for a day from now; inside the caller's transaction."""
    sql = (
        "insert into alarms (code, wall_ms, age_ms, detail) values (?, ?, ?, ?) on conflict (code) do update"
        " set wall_ms = excluded.wall_ms, age_ms = excluded.age_ms, detail = excluded.detail"
    )
    connection.execute(sql, (code, wall_ms, age_ms, detail))


def shown(connection: Connection, age_ms: int) -> tuple[str, ...]:
    """Codes of the alarms raised within a day of running time."""
    sql = "select code from alarms where age_ms > ? order by code"
    return tuple(str(code) for (code,) in connection.execute(sql, (age_ms - SHOWN_MS,)).fetchall())
