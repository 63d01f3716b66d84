"""Run the benches and print their figures; exit code 1 if one crashed, 2 for an unknown name.

A bench is a file ``bench_*.py`` here with ``NAME: str`` and ``run() -> list[Figure]``.
A missed target is a figure, not a failure.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figure import Figure, Run

FOLDER = Path(__file__).parent
Report = Callable[[str, float, Sequence[Figure]], None]
"""Prints the figures of a bench: its name, how many seconds it took, what it found."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One file: its name on the command line and what it measures."""

    name: str
    run: Run


def main(words: Sequence[str], benches: Sequence[Bench]) -> int:
    """Run what was asked for; the exit code."""
    options = _options(words)
    chosen = [bench for bench in benches if options.only in (None, bench.name)]
    if not chosen:
        print(f"no bench {options.only!r}, there are: {', '.join(bench.name for bench in benches)}", file=sys.stderr)
        return 2
    report = _print_json if options.json else _print_table
    crashed = [bench.name for bench in chosen if not _run(bench, report)]
    if crashed:
        print(f"crashed: {', '.join(crashed)}", file=sys.stderr)
    return 1 if crashed else 0


def load(folder: Path) -> Iterator[Bench]:
    """The benches of that folder of this package, by file name."""
    for path in sorted(folder.glob("bench_*.py")):
        module = import_module(f"benchmarks.{path.stem}")
        yield Bench(module.NAME, module.run)


def _run(bench: Bench, report: Report) -> bool:
    """Measure and print; False if it crashed, whatever the reason: the others still get their turn."""
    start = time.perf_counter()
    try:
        figures = bench.run()
    except Exception:  # noqa: BLE001
        print(f"{bench.name} crashed:", file=sys.stderr)
        traceback.print_exc()
        return False
    report(bench.name, time.perf_counter() - start, figures)
    return True


def _print_json(_name: str, _took_s: float, figures: Sequence[Figure]) -> None:
    for figure in figures:
        print(json.dumps(figure.as_dict(), ensure_ascii=False), flush=True)


def _print_table(name: str, took_s: float, figures: Sequence[Figure]) -> None:
    table = Table(
        "figure",
        "ours",
        "limit or peer",
        "ratio",
        "target",
        "met",
        title=f"{name} ({took_s:.0f} s)",
        title_justify="left",
    )
    for figure in figures:
        limit = "" if figure.limit is None else f"{_number(figure.limit)} ({figure.limit_name})"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        met = "[green]yes" if figure.met else "[red]NO"
        table.add_row(figure.name, f"{_number(figure.value)} {figure.unit}", limit, ratio, figure.target, met)
    Console().print(table)


def _number(value: float) -> str:
    """Three figures are enough below a thousand, none behind the point above."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the figures to hold.")
    parser.add_argument("--only", metavar="NAME", help="run one bench")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line and figure")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], list(load(FOLDER))))
