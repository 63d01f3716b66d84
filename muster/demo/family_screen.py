"""A row for each device of each family."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.live import Live
from rich.table import Table

from muster.demo.family_run import Result, Shown, Skipped

COLUMNS = ("emitted", "stored", "repeats", "lost", "twice")


@contextmanager
def progress(console: Console) -> Iterator[Callable[[Sequence[Shown]], None]]:
    """A function that shows how all fare; nothing moves where the console is no terminal."""
    if not console.is_terminal:
        yield lambda _shown: None
        return
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        yield lambda shown: live.update(table(shown, (), done=False))


def table(shown: Sequence[Shown], skipped: Sequence[Skipped], *, done: bool = True) -> Table:
    """Families, their devices, their counts."""
    bad = "[red]✗[/red]" if done else "[yellow]…[/yellow]"
    made = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("", "family", "", "profile"):
        made.add_column(name, no_wrap=True)
    for name in COLUMNS:
        made.add_column(name, justify="right")
    made.add_column("state")
    for one in shown:
        tally = one.tally
        numbers = (tally.emitted, tally.stored, tally.repeats, tally.lost, tally.duplicates)
        state = one.state if one.problem is None else f"{one.state} ({one.problem})"
        mark = "[green]✓[/green]" if one.good else bad
        made.add_row(mark, one.family, one.stand.label, one.stand.profile, *map(str, numbers), state)
    for missing in skipped:
        made.add_row("-", missing.family, "", "", *[""] * len(COLUMNS), f"skipped: {missing.reason}")
    return made


def summary(result: Result) -> str:
    """The last line."""
    families = {one.family for one in result.shown}
    bad = sorted({one.name for one in result.shown if not one.good})
    text = f"{len(families)} families, {len(result.shown)} devices, {result.seconds:.0f} s: "
    if bad:
        return f"{text}not well: {', '.join(bad)}"
    return f"{text}{result.quarantined} rows in quarantine" if result.quarantined else f"{text}nothing lost or doubled"


def lines(result: Result) -> list[dict[str, object]]:
    """An object for each device, one for each family that was skipped, and the total."""
    found: list[dict[str, object]] = [
        {
            "family": one.family, "device": one.stand.label, "profile": one.stand.profile, "terminal": one.stand.serial,
            **_counts(one), "state": one.state, "problem": one.problem, "good": one.good,
        }
        for one in result.shown
    ]  # fmt: skip
    found += [asdict(missing) | {"skipped": True} for missing in result.skipped]
    total: dict[str, object] = {
        name: sum(_counts(one)[name] for one in result.shown)
        for name in ("emitted", "stored", "repeats", "lost", "duplicates")
    }
    total |= {"families": len({one.family for one in result.shown}), "devices": len(result.shown)}
    total |= {"quarantined": result.quarantined, "seconds": round(result.seconds, 1), "good": result.good}
    return [*found, {"total": total}]


def _counts(one: Shown) -> dict[str, int]:
    tally = one.tally
    return {
        "emitted": tally.emitted, "stored": tally.stored, "repeats": tally.repeats,
        "lost": tally.lost, "duplicates": tally.duplicates,
    }  # fmt: skip
