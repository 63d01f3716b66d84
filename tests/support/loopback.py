"""Ports on the loopback interface, and waiting for whoever should listen there."""

import socket
import time
from collections.abc import Callable

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listened on just now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_listener(port: int, alive: Callable[[], bool], within_s: float = 20) -> None:
    """Return once somebody accepts on that port; TimeoutError after ``within_s`` or when ``alive`` says no."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and alive():
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")
