"""``muster gateway probe``: one terminal step by step; what works, what does not, and what to do about it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.asking import AnywayOption
from gateway.cli.checks import device_problem
from gateway.cli.clock import read_clocks
from gateway.cli.console import (
    BAD_INPUT,
    CONFIG,
    FAILED,
    ConfigOption,
    JsonOption,
    errors,
    exit_code,
    iso_time,
    print_json,
)
from gateway.cli.families import driver_of, gateway_runs, made, terminal_of
from gateway.config import BrokerConfig, GatewayConfig, TerminalConfig, check_zone, load_config
from gateway.device import Ability, Device, Finder, Manager, serves_one
from gateway.driver import Driver, Terminal
from shared.clock import system_clocks
from shared.errors import ConfigError, MusterError

REACH_S = 3.0
PAUSES_S = (0.2, 1.0)
"""Small terminals take that long to notice that a connection has ended, and serve one at a time."""
DRIFT_S = 30
ALMOST_FULL_PCT = 90
MARKS = {"works": "ok     ", "fails": "PROBLEM", "note": "note   "}


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answer in plain words."""

    step: str
    result: str
    """``works``, ``fails`` or ``note``."""
    text: str
    fix: str | None = None
    code: int = FAILED
    """Exit code when it fails."""


def probe(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name in the settings; or --host and --profile.")] = "",
    config: ConfigOption = CONFIG,
    *,
    host: Annotated[str, typer.Option(help="Address of a terminal that is not in the settings yet.")] = "",
    profile: Annotated[str, typer.Option(help="<brand>/<model> of that terminal.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, where it is not that of the profile.")] = 0,
    key_file: Annotated[Path | None, typer.Option(help="File with its key, or with user:password.")] = None,
    zone: Annotated[str, typer.Option(help="Zone of its clock.")] = "Asia/Shanghai",
    json_: JsonOption = False,
    anyway: AnywayOption = False,
) -> None:
    """Check one terminal step by step; stops at the first step that can not work, and never tries a password twice.

    muster gateway probe front-door
    """
    with errors():
        if bool(name) == bool(host):
            raise ConfigError("name a terminal of the settings, or give --host and --profile")
        if name:
            settings = load_config(config)
            terminal = terminal_of(settings, name)
        else:
            check_zone(zone, "--zone")
            settings = GatewayConfig(id="", data=Path(), zone=zone, broker=BrokerConfig(password_file=Path()))
            one = TerminalConfig(name=host, profile=profile, host=host, port=port or None, key_file=key_file)
            terminal = made(one, zone)
        driver = driver_of(terminal.profile)
    steps = asyncio.run(_all(terminal, settings if name else None, driver, anyway=anyway, tell=not json_))
    failed = [step for step in steps if step.result == "fails"]
    if json_:
        told = [{key: value for key, value in asdict(step).items() if key != "code"} for step in steps]
        print_json({"name": terminal.config.name, "works": not failed, "steps": told})
    elif not failed:
        typer.echo(f"{terminal.config.name} works")
    if failed:
        raise typer.Exit(max(step.code for step in failed))


async def _all(
    terminal: Terminal, settings: GatewayConfig | None, driver: Driver, *, anyway: bool, tell: bool
) -> list[Step]:
    steps = []
    async for step in _steps(terminal, settings, driver, anyway=anyway):
        steps.append(step)
        if tell:
            typer.echo(f"{MARKS[step.result]}  {step.step}: {step.text}")
            if step.fix:
                typer.echo(f"         -> {step.fix}")
    return steps


async def _steps(
    terminal: Terminal, settings: GatewayConfig | None, driver: Driver, *, anyway: bool
) -> AsyncIterator[Step]:
    """Steps until one fails."""
    model = f"{terminal.profile.brand} {terminal.profile.model}, family {driver.family}"
    yield Step("settings", "works", f"{model}, evidence {terminal.profile.evidence}")
    if terminal.config.device is not None:
        problem = device_problem(terminal.config.device)
        yield Step("device", "fails" if problem else "works", problem or terminal.config.device, code=BAD_INPUT)
        return
    if not isinstance(driver, Manager):
        if reached := await _reach(terminal):
            yield reached
        for step in _reporting(terminal, settings, driver):
            yield step
        return
    if settings and serves_one(driver) and gateway_runs(settings.data) and not anyway:
        yield _in_use(terminal)
        return
    reached = await _reach(terminal)
    if reached:
        yield reached
        if reached.result == "fails":
            return
    if reached and isinstance(driver, Finder):
        yield (spoken := await _speaks(terminal, driver))
        if spoken.result == "fails":
            return
    async for step in _ask(terminal, driver):
        yield step


def _in_use(terminal: Terminal) -> Step:
    return Step(
        "session",
        "fails",
        f"the gateway that runs here talks to {terminal.config.name}, which serves one client at a time",
        "look at `muster gateway status`; or stop the gateway for a moment; --anyway tries all the same",
    )


async def _reach(terminal: Terminal) -> Step | None:
    """Whether somebody listens; None where there is nothing to connect to."""
    host, port = _address(terminal)
    if host is None or port is None or terminal.profile.link.transport == "udp":
        return None
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        fix = "is it this terminal's address, and is this port switched on in its communication menu?"
        return Step("network", "fails", f"{host} is there, but nothing listens on port {port}", fix)
    except (OSError, TimeoutError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        fix = "check power and network cable, and compare the address with the terminal's network menu"
        return Step("network", "fails", f"{host}:{port} can not be reached ({why})", fix)
    writer.close()
    return Step("network", "works", f"{host}:{port} answers")


def _address(terminal: Terminal) -> tuple[str | None, int | None]:
    host = terminal.config.host
    if host is None:
        return None, None
    secure = host.startswith("https://")
    plain = host.removeprefix("https://").removeprefix("http://").rstrip("/")
    return plain, terminal.config.port or (443 if secure else terminal.profile.link.port)


async def _speaks(terminal: Terminal, finder: Finder) -> Step:
    host, port = _address(terminal)
    found = None
    for pause_s in PAUSES_S:
        await asyncio.sleep(pause_s)
        if (found := await finder.identify(host or "", port or 0)) is not None:
            break
    await asyncio.sleep(PAUSES_S[0])
    if found is None:
        model = f"{terminal.profile.brand} {terminal.profile.model}"
        fix = f"is it a {model}? `muster gateway discover {host}/32` asks all families"
        return Step("protocol", "note", "what listens there was not recognised without logging in", fix)
    told = ", ".join(text for text in (found.model, found.serial, found.firmware) if text)
    return Step("protocol", "works", f"it speaks the protocol{f' ({told})' if told else ''}")


async def _ask(terminal: Terminal, manager: Manager) -> AsyncIterator[Step]:
    """What only an open conversation tells; a refused key or account ends it at once."""
    opened = False
    try:
        async with manager.open(terminal, system_clocks()) as device:
            opened = True
            yield Step("key", "works", "the terminal accepts us")
            async for step in _about(terminal, device, manager.abilities):
                yield step
            if Ability.CLOCK in manager.abilities:
                yield await _clock(terminal, device)
    except ConfigError as error:
        yield Step("answer" if opened else "key", "fails", str(error), code=exit_code(error))
    except MusterError as error:
        fix = "is another program (the maker's software, another gateway) connected to it? try again in a minute"
        yield Step("answer" if opened else "session", "fails", str(error), fix, code=exit_code(error))


async def _about(terminal: Terminal, device: Device, abilities: frozenset[Ability]) -> AsyncIterator[Step]:
    if Ability.INFO not in abilities:
        return
    info = await device.info()
    told = ", ".join(text for text in (info.model, info.firmware) if text) or "it does not tell its model"
    yield Step("identity", "works", f"serial {info.serial or 'unknown'}, {told}")
    wanted = terminal.config.serial
    if wanted and info.serial and wanted != info.serial:
        fix = f'is the address right? else write serial = "{info.serial}" into the settings'
        yield Step("serial", "fails", f"the settings say {wanted}, the terminal says {info.serial}", fix, BAD_INPUT)
    if info.users is not None:
        room = f" of {info.user_capacity}" if info.user_capacity else ""
        yield Step("users", "works", f"{info.users}{room}")
    if info.log_used is not None:
        room = f" of {info.log_capacity}" if info.log_capacity else ""
        if info.log_capacity and info.log_used * 100 >= info.log_capacity * ALMOST_FULL_PCT:
            fix = "when the gateway has read it all, clear the log at the terminal; Muster never does"
            yield Step("log", "note", f"{info.log_used}{room} records: almost full", fix)
        else:
            yield Step("log", "works", f"{info.log_used}{room} records")


async def _clock(terminal: Terminal, device: Device) -> Step:
    clocks = await read_clocks(device, terminal)
    fix = f"muster gateway clock set {terminal.config.name}"
    if clocks.drift_s is None:
        return Step("clock", "note", "it shows an impossible time; new punches would carry it", fix)
    if abs(clocks.drift_s) <= DRIFT_S:
        return Step("clock", "works", f"right to {abs(clocks.drift_s):.0f} s ({clocks.zone})")
    quarters = round(clocks.drift_s / 900)
    if quarters and abs(clocks.drift_s - quarters * 900) <= DRIFT_S:
        fix = f"is its zone {clocks.zone}? else set `zone` in the settings; if it is: {fix}"
    way = "fast" if clocks.drift_s > 0 else "slow"
    return Step("clock", "note", f"{abs(clocks.drift_s):.0f} s {way}; the server corrects punches by that", fix)


def _reporting(terminal: Terminal, settings: GatewayConfig | None, driver: Driver) -> list[Step]:
    """Steps for a terminal that calls us: what can be seen from here."""
    from gateway.health.report import load

    if settings is None:
        text = "terminals of this family call the gateway; add it to the settings, then probe it by name"
        return [Step("push", "fails", text, code=BAD_INPUT)]
    steps = []
    push = settings.push.get(driver.family)
    if push is None and terminal.profile.link.transport == "http":
        fix = f"add [push.{driver.family}] with host and port to the settings"
        return [Step("push", "fails", "terminals of this family call the gateway, and no port is open", fix, BAD_INPUT)]
    if push is not None:
        steps.append(Step("push", "works", f"the terminal must call {push.host}:{push.port}"))
    if not gateway_runs(settings.data):
        return [*steps, Step("gateway", "fails", "the gateway does not run", "muster gateway run")]
    health = load(settings.data)
    told = [one for one in health.terminals if one.name == terminal.config.name] if health else []
    if not told:
        fix = "start the gateway again so that it takes the new settings"
        return [*steps, Step("contact", "fails", "the running gateway does not know this terminal", fix)]
    one = told[0]
    if one.last_contact_ms is None:
        fix = "compare server address and port in the terminal's cloud menu, and its serial number with the settings"
        return [*steps, Step("contact", "fails", f"it has never called ({one.problem or one.state})", fix)]
    text = f"{one.state}, last call {iso_time(one.last_contact_ms)}, last event {iso_time(one.last_event_ms)}"
    return [*steps, Step("contact", "works" if one.state == "online" else "note", text, one.problem)]
