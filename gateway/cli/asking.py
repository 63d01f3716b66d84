"""One conversation with one configured terminal, for one command."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from gateway.cli.console import errors
from gateway.cli.families import check_free, manager_of, terminal_of
from gateway.config import GatewayConfig, load_config
from gateway.device import Ability, Device
from gateway.driver import Terminal
from shared.clock import system_clocks
from shared.errors import ConfigError

T = TypeVar("T")
Work: TypeAlias = Callable[[Device, Terminal, GatewayConfig], Coroutine[Any, Any, T]]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the terminal in the settings.")]
AnywayOption = Annotated[bool, typer.Option("--anyway", help="Try although the running gateway uses the terminal.")]


def ask(config: Path, name: str, needs: Ability, work: Work[T], *, anyway: bool = False) -> T:
    """Connect, do the work, hang up; errors end the command."""
    with errors():
        settings = load_config(config)
        terminal = terminal_of(settings, name)
        driver, manager = manager_of(terminal)
        if needs not in manager.abilities:
            raise ConfigError(f"{name}: family {driver.family} has no {needs.value!r}; its README says what it can do")
        if not anyway:
            check_free(settings, driver, name)

        async def within() -> T:
            async with manager.open(terminal, system_clocks()) as device:
                return await work(device, terminal, settings)

        return asyncio.run(within())
