"""A gateway that was offline for long: 1,000,000 events until the last is committed and acked, and what it costs."""

from benchmarks.drain import drain
from benchmarks.figure import Figure, figure
from benchmarks.installation import installation

NAME = "catchup"
EVENTS = 1_000_000


def run() -> list[Figure]:
    """Seconds, and how much memory of gateway and server grew on the way."""
    with installation() as bench:
        bench.fill(EVENTS)
        drained = drain(bench, EVENTS)
    return [
        figure("catch-up of 1,000,000", drained.seconds, "s", better="lower", target=60),
        figure("catch-up, gateway RSS growth", drained.gateway_growth_mib, "MiB", better="lower", target=10),
        figure("catch-up, server RSS growth", drained.server_growth_mib, "MiB", better="lower", target=10),
    ]
