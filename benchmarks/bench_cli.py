"""How long ``muster --help`` takes, beside a Python that does nothing."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.figure import Figure, figure

NAME = "cli"
RUNS = 15


def run() -> list[Figure]:
    """Median wall time of the console script, the first run left out."""
    ours = _median_s([sys.executable, "-m", "muster", "--help"])
    bare = _median_s([sys.executable, "-c", "pass"])
    return [figure("muster --help", ours, "s", better="lower", target=0.3, limit_name="python -c pass", limit=bare)]


def _median_s(command: Sequence[str]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
