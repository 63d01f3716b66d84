"""How long the next try to sign in has to wait: sliding windows over failures of an account and of an address."""

from dataclasses import dataclass

from shared.clock import WallMs

WINDOW_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed tries inside the window, and the newest of them."""

    count: int
    newest_ms: WallMs | None


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries are free; then the wait doubles from one second up to ``longest_s``."""

    free: int
    longest_s: int

    def wait_s(self, failures: Failures, now_ms: WallMs) -> int:
        """Whole seconds until the next try is looked at; 0 for now."""
        over = failures.count - self.free
        if over < 0 or failures.newest_ms is None:
            return 0
        delay_ms = 1000 * min(1 << min(over, 20), self.longest_s)
        return max(0, -(-(failures.newest_ms + delay_ms - now_ms) // 1000))


# A wait, never a lock: an outsider who keeps guessing costs the owner half a minute at most.
ACCOUNT = Limit(free=5, longest_s=30)
ADDRESS = Limit(free=20, longest_s=300)


def wait_s(account: Failures, address: Failures, now_ms: WallMs) -> int:
    """The longer of both waits."""
    return max(ACCOUNT.wait_s(account, now_ms), ADDRESS.wait_s(address, now_ms))
