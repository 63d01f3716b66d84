"""``muster gateway info | watch | pull``: look at one terminal; nothing is stored and nothing in it is changed."""

from collections import Counter
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gateway.cli.asking import AnywayOption, NameArgument, ask
from gateway.cli.console import CONFIG, ConfigOption, JsonOption, errors, print_json, print_table
from gateway.cli.facts import event_facts, local, utc
from gateway.config import GatewayConfig
from gateway.device import Ability, Device, DeviceInfo
from gateway.driver import Terminal
from shared.errors import ConfigError
from shared.keys import Event
from shared.punch import Direction, Method, Punch
from shared.scan import Damaged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SHOWN = 20
"""Rows of the live table."""


def info(
    name: NameArgument, config: ConfigOption = CONFIG, *, json_: JsonOption = False, anyway: AnywayOption = False
) -> None:
    """Show what a terminal says of itself.

    muster gateway info front-door
    """

    async def work(device: Device, _terminal: Terminal, _config: GatewayConfig) -> DeviceInfo:
        return await device.info()

    found = ask(config, name, Ability.INFO, work, anyway=anyway)
    if json_:
        print_json(asdict(found))
        return
    facts = {key: value for key, value in asdict(found).items() if key != "facts"} | found.facts
    rows = [{"what": key.replace("_", " "), "it_says": str(value)} for key, value in facts.items() if value is not None]
    print_table(rows, ["what", "it_says"])


def watch(
    name: NameArgument,
    config: ConfigOption = CONFIG,
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0 goes on until Ctrl-C.")] = 0,
    *,
    json_: JsonOption = False,
    anyway: AnywayOption = False,
) -> None:
    """Show punches of one terminal as they happen, until Ctrl-C. They stay in its log for the gateway.

    muster gateway watch front-door
    """
    shown = _Lines(name) if json_ else _Table(name)

    async def work(device: Device, _terminal: Terminal, _config: GatewayConfig) -> None:
        left = count
        # Every driver's watch is an async generator; only such a one can be closed while its terminal is open.
        events = cast("AsyncGenerator[Event, None]", device.watch())
        async with aclosing(events):
            async for event in events:
                shown.add(event)
                left -= 1
                if left == 0:
                    return

    with shown:
        try:
            ask(config, name, Ability.WATCH, work, anyway=anyway)
        except KeyboardInterrupt:
            return


class _Lines:
    """Events as JSON lines."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def add(self, event: Event) -> None:
        print_json({"name": self._name, **event_facts(event)})


class _Table:
    """The last events as a table on a terminal, as lines elsewhere."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._name = name
        self._console = Console()
        self._rows: list[tuple[str, str, str, str, str]] = []
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> "_Table":
        if self._live:
            self._live.start()
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def add(self, event: Event) -> None:
        row = _row(event)
        self._rows = [*self._rows, row][-SHOWN:]
        if self._live:
            self._show()
        else:
            typer.echo("  ".join(row))

    def _show(self) -> None:
        from rich.markup import escape
        from rich.table import Table

        table = Table("terminal time", "user", "direction", "method", "codes", title=f"{escape(self._name)}: live")
        for row in self._rows:
            table.add_row(*map(escape, row))
        if self._live:
            self._live.update(table, refresh=True)


def _row(event: Event) -> tuple[str, str, str, str, str]:
    match event:
        case Punch():
            codes = " ".join(map(str, event.raw_codes))
            when = (local(event) or utc(event.at)).replace("T", " ")
            return when, event.user, event.direction.name.lower(), event.method.name.lower(), codes
        case Damaged():
            return "-", "-", "-", "-", f"{event.reason}: {event.raw[:16].hex()}"
        case _:
            return utc(event.at), event.code, event.kind.name.lower(), "scan", event.symbology


@dataclass
class Summary:
    """What is in a terminal's log."""

    punches: int = 0
    first: str | None = None
    last: str | None = None
    users: set[str] = field(default_factory=set)
    codes: Counter[str] = field(default_factory=Counter)
    """Codes to which the profile gives no name: ``verify 77``."""
    damaged: Counter[str] = field(default_factory=Counter)
    serials: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Count one."""
        if isinstance(event, Damaged):
            self.damaged[event.reason] += 1
        if not isinstance(event, Punch):
            return
        self.punches += 1
        when = local(event) or utc(event.at)
        self.first, self.last = min(self.first or when, when), max(self.last or when, when)
        self.users.add(event.user)
        self.serials.add(event.terminal)
        verify, state = (*event.raw_codes, -1, -1)[:2]
        if event.method is Method.UNKNOWN and verify >= 0:
            self.codes[f"verify {verify}"] += 1
        if event.direction is Direction.UNKNOWN and state >= 0:
            self.codes[f"state {state}"] += 1

    def facts(self, name: str) -> dict[str, object]:
        """For a program."""
        return {
            "name": name,
            "serial": ", ".join(sorted(self.serials)) or None,
            "punches": self.punches,
            "first": self.first,
            "last": self.last,
            "users": len(self.users),
            "unknown_codes": dict(self.codes.most_common()),
            "damaged": dict(self.damaged.most_common()),
        }


def pull(
    name: NameArgument,
    config: ConfigOption = CONFIG,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: store nothing, move no cursor.")] = False,
    json_: JsonOption = False,
    anyway: AnywayOption = False,
) -> None:
    """Read the whole log of a terminal and say what is in it; some lock while they are read.

    muster gateway pull front-door --dry-run
    """
    with errors():
        if not dry_run:
            raise ConfigError("storing is the work of `muster gateway run`; this only looks: add --dry-run")

    async def work(device: Device, _terminal: Terminal, _config: GatewayConfig) -> Summary:
        summary = Summary()
        async for event in device.log():
            summary.add(event)
        return summary

    summary = ask(config, name, Ability.LOG, work, anyway=anyway)
    if json_:
        print_json(summary.facts(name))
        return
    typer.echo(f"{name}: {summary.punches} punches of {len(summary.users)} users; nothing was stored")
    if summary.punches:
        typer.echo(f"terminal time from {summary.first} to {summary.last}")
    for code, times in summary.codes.most_common():
        typer.echo(f"no name in the profile: {code}, {times} times (kept as a number)")
    for reason, times in summary.damaged.most_common():
        typer.echo(f"can not be read: {reason}, {times} times (the bytes would be kept)")
