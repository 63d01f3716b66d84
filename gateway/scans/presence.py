"""RFID readers see a tag many times a second: one scan for each stay at an antenna, and what that antenna watches."""

from gateway.config import TerminalConfig
from gateway.scans.station import kind_of
from shared.errors import ConfigError
from shared.scan import ScanKind

TAGS_LIMIT = 100_000
"""Tags in view that are remembered; a pallet gate sees some hundred."""


class Presence:
    """Tells the first read of a stay from those that follow within the window of the one before."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._last_ms: dict[tuple[str, int], int] = {}

    def is_new(self, tag: str, antenna: int, at_ms: int) -> bool:
        """Whether a stay begins with this read; times of one reader, in any order."""
        before = self._last_ms.pop((tag, antenna), None)
        if len(self._last_ms) >= TAGS_LIMIT:
            self._forget(at_ms)
        self._last_ms[tag, antenna] = at_ms if before is None else max(before, at_ms)
        return before is None or abs(at_ms - before) >= self._window_ms

    def _forget(self, at_ms: int) -> None:
        """Drop those that left, or else the oldest."""
        here = {key: last for key, last in self._last_ms.items() if abs(at_ms - last) < self._window_ms}
        self._last_ms = here if len(here) < TAGS_LIMIT else {}


class Antennas:
    """Stations and kinds by antenna; ConfigError for numbers and kinds that do not exist."""

    def __init__(self, config: TerminalConfig) -> None:
        self._name = config.serial or config.name
        self._places: dict[int, tuple[str, ScanKind | None]] = {}
        for number, antenna in config.antennas.items():
            if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 65535):
                raise ConfigError(f"terminal {config.name}: antenna {number!r} is no number from 1")
            kind = kind_of(antenna.kind, f"terminal {config.name}, antenna {number}") if antenna.kind else None
            self._places[int(number)] = (antenna.station or f"{self._name}/{int(number)}", kind)

    @property
    def numbers(self) -> list[int]:
        """Those that are configured, in order."""
        return sorted(self._places)

    def place(self, antenna: int) -> tuple[str | None, ScanKind | None]:
        """Station and kind; None for what the reader itself is."""
        return self._places.get(antenna, (None, None))
