"""What Prometheus reads, over real HTTP and parsed by Prometheus' own library."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.config import MetricsConfig
from gateway.driver import TerminalState
from gateway.health.metrics import Figures, serve
from gateway.health.report import health_of
from shared.clock import Clocks
from shared.errors import RetryableError
from tests.gateway.health.test_health import STATS
from tests.support.loopback import free_port

CLOCKS = Clocks(lambda: 1_800_000_000_000, lambda: 77)
DOOR = TerminalState("door", "zkteco/k40", "SN1", "online", 5_000, 4_000, -1500, None, "6.60", 12, 95, 100, 3)


@asynccontextmanager
async def served(*states: TerminalState) -> AsyncIterator[str]:
    def health() -> object:
        return health_of(clocks=CLOCKS, software="m", stats=STATS, terminals=states, alarms=("no_ack",), dropped=4)

    figures = Figures(health, lambda: True, lambda: [state.failures for state in states])  # type: ignore[arg-type]
    config = MetricsConfig(port=free_port())
    task = asyncio.create_task(serve(config, figures, CLOCKS.wall_ms))
    async with asyncio.timeout(20):
        while not task.done():
            with suppress(OSError):
                _, writer = await asyncio.open_connection(config.host, config.port)
                writer.close()
                break
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{config.port}"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


async def read(*states: TerminalState) -> dict[tuple[str, str], float]:
    """Values by name and what tells samples of one terminal apart."""
    async with served(*states) as url:
        text = await asyncio.to_thread(get, f"{url}/metrics")
    return {
        (sample.name, sample.labels.get("state") or sample.labels.get("code") or ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_prometheus_reads_outbox_link_terminals_and_process() -> None:
    found = await read(DOOR)
    assert found["muster_outbox_backlog_rows", ""] == 12
    assert found["muster_outbox_oldest_unacked_seconds", ""] == 1
    assert found["muster_outbox_quota_used_ratio", ""] == 0.71
    assert found["muster_outbox_refused_events_total", ""] == 3
    assert found["muster_server_linked", ""] == 1
    assert {code for name, code in found if name == "muster_alarm"} == {"buffer_70", "damaged_row", "no_ack"}
    assert found["muster_terminal_clock_drift_seconds", ""] == -1.5
    assert found["muster_terminal_failures_total", ""] == 3
    assert found["muster_terminal_state", "degraded"] == 1, "95 of 100 records: its log is almost full"
    assert found["muster_terminal_state", "online"] == 0
    assert found["muster_terminal_problem", "log_almost_full"] == 1
    assert found["process_resident_memory_bytes", ""] > 2**20


async def test_only_metrics_are_served_and_only_to_get() -> None:
    async with served(DOOR) as url:
        for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 405)):
            request = urllib.request.Request(url + path, data=b"x" if method == "POST" else None, method=method)  # noqa: S310
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, request, None, 10)
            assert refused.value.code == status
            refused.value.close()


async def test_a_port_that_is_taken_is_something_to_try_again() -> None:
    async with served(DOOR) as url:
        figures = Figures(
            lambda: health_of(clocks=CLOCKS, software="", stats=STATS, terminals=[], alarms=(), dropped=0),
            lambda: False,
            list,
        )
        with pytest.raises(RetryableError, match="can not listen"):
            await serve(MetricsConfig(port=int(url.rpartition(":")[2])), figures, CLOCKS.wall_ms)


def test_a_gateway_without_the_table_does_not_load_the_library() -> None:
    code = "import json, sys, gateway.app; print(json.dumps([m for m in sys.modules if 'prometheus' in m]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("state", "problem", "used", "shown"),
    [
        ("online", None, 10, ("online", None)),
        ("online", "clock_drift", 10, ("degraded", "clock_drift")),
        ("online", None, 90, ("degraded", "log_almost_full")),
        ("online", "log_full", 100, ("degraded", "log_full")),
        ("offline", "no_contact", 10, ("offline", "no_contact")),
        ("config_error", "account_locked", 10, ("refused", "account_locked")),
        ("config_error", "login_refused", 10, ("refused", "login_refused")),
        ("config_error", "serial_twice", 10, ("config_error", "serial_twice")),
        ("starting", None, None, ("starting", None)),
    ],
)
def test_what_is_told_of_a_terminal(
    state: str, problem: str | None, used: int | None, shown: tuple[str, str | None]
) -> None:
    terminal = TerminalState("n", "p", state=state, problem=problem, log_used=used, log_capacity=100)
    assert terminal.shown() == shown
