"""A push terminal that counts: each punch is its own second, and an answered batch is one the gateway says it keeps.

It speaks the attendance push dialect (zk-adms.md) on its own, so that neither driver nor emulator can hide a loss.
"""

import http.client
import threading
import time
from datetime import UTC, datetime, timedelta

from tests.support.loopback import HOST

FIRST = datetime(2026, 11, 2, 0, 0, 0, tzinfo=UTC)
"""Wall time of the first punch on the terminal; counted on by a second each."""


class Feeder:
    """Sends batches from a thread of its own, the same one again until it is answered, as a terminal does."""

    def __init__(self, port: int, serial: str, *, batch: int = 20, pause_s: float = 0.02) -> None:
        self.serial = serial
        self.batch = batch
        self.pause_s = pause_s
        self.answered = 0
        """Punches 0 to this one, exclusive, are the gateway's responsibility."""
        self.sent = 0
        """Punches that were sent at least once."""
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to punch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop punching, once or again; what was sent last may or may not have been answered."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def keys(self, upto: int) -> set[tuple[str, str, int]]:
        """(terminal, user, device second) of the first ``upto`` punches."""
        start = int(FIRST.timestamp())
        return {(self.serial, user(number), start + number) for number in range(upto)}

    def push(self, rows: int) -> None:
        """Send one batch and count it when it is answered; OSError when the gateway did not keep it."""
        first = self.answered
        self.sent = max(self.sent, first + rows)
        lines = "".join(
            f"{user(n)}\t{FIRST + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}\t0\t1\t0\t0\n"
            for n in range(first, first + rows)
        )
        self._ask("POST", f"/iclock/cdata?SN={self.serial}&table=ATTLOG&Stamp={first + rows}", lines)
        self.answered = first + rows

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._ask("GET", f"/iclock/cdata?SN={self.serial}&options=all&pushver=2.4.1&language=83")
                while not self._stop.is_set():
                    self.push(self.batch)
                    time.sleep(self.pause_s)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)  # not answered: the same batch again

    def _ask(self, method: str, path: str, body: str | None = None) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "text/plain"} if body else {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200 or (body and not text.startswith("OK")):
            raise ConnectionError(f"{method} {path}: {answer.status} {text[:100]}")


def user(number: int) -> str:
    """User number of the n-th punch."""
    return str(1000 + number % 97)
