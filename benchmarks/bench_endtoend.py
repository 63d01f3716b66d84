"""Events a second from outbox to committed and acked: gateway, Mosquitto, one ingest process, PostgreSQL, plain."""

from benchmarks.drain import drain
from benchmarks.figure import Figure, figure
from benchmarks.installation import installation

NAME = "endtoend"
EVENTS = 300_000


def run() -> list[Figure]:
    """The rate at which a backlog becomes rows, all processes on this machine."""
    with installation() as bench:
        bench.fill(EVENTS)
        drained = drain(bench, EVENTS)
    rate = drained.events / drained.seconds
    return [figure("end to end, plain", rate, "ev/s", better="higher", target=30_000)]
