"""When to ask again: pure. Full jitter, so that many sources that failed together do not come back together."""

from random import Random

FIRST_S, LONGEST_S = 1.0, 300.0
MOST_ASKED_S = 1_200.0
"""A source that asks for a longer wait is left until its stream is due again."""
TRIES = 6
DOWN_AFTER = 5
"""Runs in a row that fail before a source counts as down."""
DOWN_EVERY_S = 900
RETRIED = frozenset((408, 425, 429, 502, 503, 504))
"""HTTP answers that may be another one later; every other 4xx says that the call itself is wrong."""


def delay_s(failures: int, random: Random, retry_after_s: float | None = None) -> float | None:
    """Seconds to wait after so many failures of one call; None: give up. A wait that the source asks for is kept."""
    if failures >= TRIES or (retry_after_s or 0) > MOST_ASKED_S:
        return None
    if retry_after_s is not None:
        return max(retry_after_s, 0.0)
    return random.uniform(0, min(FIRST_S * 2 ** (failures - 1), LONGEST_S))


def next_run_s(every_s: int, failures: int) -> int:
    """Seconds to the next run of a stream after so many failed runs in a row."""
    if failures >= DOWN_AFTER:
        return DOWN_EVERY_S
    return every_s if failures == 0 else min(every_s, 60 * 2**failures)
