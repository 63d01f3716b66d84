"""Figures for Prometheus over HTTP; off unless ``[metrics]`` is configured, and the library is loaded only then."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gateway.config import MetricsConfig
from gateway.transports.http_front import Answer, Body, Head, HttpFront, listening
from shared.clock import WallMs
from shared.errors import ConfigError
from shared.wire import Health, TerminalHealth

if TYPE_CHECKING:
    from prometheus_client import Metric

STATES = ("starting", "online", "degraded", "offline", "refused", "error", "config_error")


class Figures:
    """What is told at one instant; ``health`` is made anew at each question."""

    def __init__(self, health: Callable[[], Health], linked: Callable[[], bool], failures: Callable[[], Sequence[int]]):
        self._health, self._linked, self._failures = health, linked, failures

    def collect(self) -> Iterator["Metric"]:
        """Every figure but those of the process, as the library wants them."""
        health = self._health()
        yield from _of_gateway(health, linked=self._linked())
        yield from _of_terminals(health.terminals, self._failures())


async def serve(config: MetricsConfig, figures: Figures, wall_ms: Callable[[], WallMs]) -> None:
    """Answer ``GET /metrics`` until cancelled; RetryableError when the port is taken."""
    text = _writer(figures)

    async def answer(head: Head, body: Body) -> Answer:
        await body.drain()
        if head.path != "/metrics":
            return Answer(404, "ask for /metrics\n")
        if head.method != "GET":
            return Answer(405, "GET only\n")
        return Answer(200, text(), "text/plain; version=0.0.4; charset=utf-8")

    async with listening(HttpFront(answer, wall_ms), config.host, config.port):
        await asyncio.Event().wait()


def _writer(figures: Figures) -> Callable[[], bytes]:
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    except ModuleNotFoundError as error:
        raise ConfigError("[metrics] needs prometheus-client: pip install 'muster[gateway]'") from error
    registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(figures)
    return lambda: generate_latest(registry)


def _of_gateway(health: Health, *, linked: bool) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    oldest_s = 0.0 if health.oldest_unacked_ms is None else max(0, health.at - health.oldest_unacked_ms) / 1000
    for name, text, value in (
        ("muster_outbox_backlog_rows", "Rows that the server has not confirmed.", health.backlog),
        ("muster_outbox_oldest_unacked_seconds", "Age of the oldest of them.", oldest_s),
        ("muster_outbox_quota_used_ratio", "Of the configured quota.", health.quota_used_pct / 100),
        ("muster_outbox_free_bytes", "On the file system of the outbox.", health.free_bytes),
        ("muster_server_linked", "Whether the server answers over the present link.", int(linked)),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    yield CounterMetricFamily("muster_outbox_refused_events", "Refused for lack of room.", value=health.refused)
    yield CounterMetricFamily(
        "muster_health_dropped", "Health reports that were not sent.", value=health.dropped_health
    )
    alarms = GaugeMetricFamily("muster_alarm", "What needs a person.", labels=["code"])
    for code in health.alarms:
        alarms.add_metric([code], 1)
    yield alarms


def _of_terminals(terminals: Sequence[TerminalHealth], failures: Sequence[int]) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    by = ["name", "serial", "profile"]
    state = GaugeMetricFamily("muster_terminal_state", "1 for the state it is in.", labels=[*by, "state"])
    problem = GaugeMetricFamily("muster_terminal_problem", "What needs a person.", labels=[*by, "code"])
    failed = CounterMetricFamily("muster_terminal_failures", "Conversations that ended in an error.", labels=by)
    numbers = {
        name: GaugeMetricFamily(f"muster_terminal_{name}", text, labels=by)
        for name, text in (
            ("last_contact_timestamp_seconds", "When it last said something."),
            ("last_event_timestamp_seconds", "When it last sent an event."),
            ("clock_drift_seconds", "Its clock minus the gateway's."),
            ("users", "People enrolled."),
            ("log_used_rows", "Records in its log."),
            ("log_capacity_rows", "Records its log can hold."),
        )
    }
    for terminal, count in zip(terminals, failures, strict=True):
        labels = [terminal.name, terminal.terminal, terminal.profile]
        for one in STATES:
            state.add_metric([*labels, one], one == terminal.state)
        if terminal.problem is not None:
            problem.add_metric([*labels, terminal.problem], 1)
        failed.add_metric(labels, count)
        for family, value in zip(numbers.values(), _numbers_of(terminal), strict=True):
            if value is not None:
                family.add_metric(labels, value)
    yield from (state, problem, failed, *numbers.values())


def _numbers_of(terminal: TerminalHealth) -> tuple[float | None, ...]:
    milliseconds = (terminal.last_contact_ms, terminal.last_event_ms, terminal.drift_ms)
    seconds = (None if number is None else number / 1000 for number in milliseconds)
    return (*seconds, terminal.users, terminal.log_used, terminal.log_capacity)
