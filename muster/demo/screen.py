"""What the demo shows: steps, where to look, a bar each for what was emitted and what is stored and computed."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from muster.sample.history import Sample
from muster.stage import drain
from muster.stage.ledger import Tally


class Screen:
    """Writes to ``console``; bars only on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._scored = False
        self._sent: tuple[int, int] | None = None

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A piece of work with its duration."""
        start = time.monotonic()
        with self._console.status(what):
            yield
        self.done(what, time.monotonic() - start)

    def done(self, what: str, seconds: float) -> None:
        """Say that something is done, and how long it took."""
        self._console.print(f"[green]✓[/green] {what} [dim]{seconds:.1f} s[/dim]", highlight=False)

    def address(self, url: str, sample: Sample, logins: Sequence[tuple[str, str]], password: str) -> None:
        """Where to look, who may, and what to try."""
        table = Table(box=None, padding=(0, 2), header_style="bold")
        table.add_column("login")
        table.add_column("password")
        table.add_column("what this person sees")
        for login, sees in logins:
            table.add_row(login, password, sees)
        self._console.print(f"\n[bold]{url}[/bold]   the day {sample.day}, Ctrl-C stops everything\n", highlight=False)
        self._console.print(table)
        self._console.print(
            f"\n[bold]Try it:[/bold] sign in as hr, open {url}/closing?month={sample.month} and close last month; "
            f"then {url}/reports\n"
            f"[bold]试一试：[/bold]用 hr 登录，打开“月结”，把 {sample.month} 封账，再下载考勤月报\n",
            highlight=False,
            soft_wrap=True,
        )

    def sent(self, rows: int, of: int) -> None:
        """How many rows the business systems have sent; the bar follows with the next count."""
        self._sent = rows, of

    @contextmanager
    def counting(self) -> Iterator[Callable[[drain.Progress], None]]:
        """A function that shows each count it is given."""
        columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as bars:
            arrived = bars.add_task("stored or repeated", total=None)
            computed = bars.add_task("results computed", total=None)
            business = bars.add_task("business rows", total=None)
            most = 1

            def show(now: drain.Progress) -> None:
                nonlocal most
                tally = now.tally
                most = max(most, now.results_waiting)
                bars.update(arrived, total=tally.emitted, completed=tally.stored + tally.repeats + tally.quarantined)
                bars.update(computed, total=most, completed=most - now.results_waiting)
                if self._sent is not None:
                    bars.update(business, completed=self._sent[0], total=self._sent[1])
                if tally.scorecards and not self._scored:
                    self._scored = True
                    seconds = time.monotonic() - self._began
                    bars.console.print(
                        f"[green]✓[/green] first scores [dim]after {seconds:.1f} s[/dim]", highlight=False
                    )

            yield show

    def total(self, tally: Tally) -> None:
        """The count at the end."""
        table = Table(box=None, padding=(0, 2), show_header=False)
        for name, number in (
            ("emitted by the devices", tally.emitted),
            ("stored, each once", tally.stored),
            ("repeats recognised", tally.repeats),
            ("in quarantine", tally.quarantined),
            ("stored twice", tally.duplicates),
            ("lost", tally.lost),
            ("scorecards", tally.scorecards),
        ):
            table.add_row(name, f"{number:,}")
        self._console.print(table)
