"""How long a session lives."""

from shared.clock import WallMs

IDLE_MS = 30 * 60_000
ABSOLUTE_MS = 12 * 3_600_000
TOUCH_MS = 60_000
"""A session's last use is written at most this often, so that reading pages does not write."""


def is_alive(created_ms: WallMs, seen_ms: WallMs, now_ms: WallMs) -> bool:
    """Whether a session made and last used then still counts."""
    return now_ms - seen_ms < IDLE_MS and now_ms - created_ms < ABSOLUTE_MS


def needs_touch(seen_ms: WallMs, now_ms: WallMs) -> bool:
    """Whether its last use should be written."""
    return now_ms - seen_ms >= TOUCH_MS
