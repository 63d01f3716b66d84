"""``muster gateway discover``: which terminals are on a network; only the ports of known families, never a password."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from gateway.cli.console import CONFIG, ConfigOption, JsonOption, errors, print_json, print_table
from gateway.cli.families import families, profiles
from gateway.config import load_config
from gateway.device import DeviceInfo, Finder
from shared.errors import ConfigError, MusterError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
LARGEST = 4096
"""Addresses of a /20: more take a while and are seldom meant."""
AT_ONCE = 200
IDENTIFY_S = 20.0
PAUSE_S = 0.2
"""Small terminals take that long to notice that a connection has ended, and serve one at a time."""
NAMED = 3
"""Profiles named where the terminal does not tell its model."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that listens on a port of a known family."""

    host: str
    port: int
    family: str | None
    info: DeviceInfo
    configured: str | None = None
    """Its name in the settings; it is not asked then, as the gateway may be talking to it."""

    def facts(self, likely: Sequence[str]) -> dict[str, str | int | None]:
        """For a table or a program."""
        return {
            "host": self.host,
            "port": self.port,
            "family": self.family,
            "model": self.info.model,
            "serial": self.info.serial,
            "firmware": self.info.firmware,
            "profiles": ", ".join(likely) or None,
            "configured": self.configured,
        }


def discover(
    network: Annotated[str, typer.Argument(metavar="CIDR", help="Network of the terminals, such as 192.0.2.0/24.")],
    config: ConfigOption = CONFIG,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.05, help="Seconds for one connection.")] = 1.0,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Also a large or a public network.")] = False,
    json_: JsonOption = False,
) -> None:
    """Look for terminals in one network, and nowhere else; name likely profiles.

    muster gateway discover 192.0.2.0/24
    """
    with errors():
        hosts = addresses(network, yes=yes)
        finders = {name: driver for name, driver in families().items() if isinstance(driver, Finder)}
        known = _configured(config)
        ports = sorted({port for finder in finders.values() for port in finder.ports})
        with _progress(len(hosts) * len(ports), hidden=json_) as tick:
            found = asyncio.run(look(hosts, finders, known, timeout_s, tick))
    rows = [one.facts(likely_profiles(one)) for one in found]
    if json_:
        print_json(rows)
        return
    print_table(rows, ["host", "port", "family", "model", "serial", "firmware", "profiles", "configured"])
    named = sum(one.family is not None for one in found)
    typer.echo(f"{named} terminals recognised on {len(hosts)} addresses, ports {', '.join(map(str, ports))}")
    if any(one.family and not one.configured for one in found):
        typer.echo("next: muster gateway add NAME --profile PROFILE --host HOST, then muster gateway probe NAME")


def addresses(text: str, *, yes: bool) -> list[str]:
    """All addresses of a network; ConfigError for a large or public one without ``yes``."""
    try:
        network: Network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no network ({error}); expected one such as 192.0.2.0/24") from error
    if network.num_addresses > LARGEST and not yes:
        raise ConfigError(
            f"{text} has {network.num_addresses} addresses, more than the {LARGEST} of a /20; "
            "name a smaller network, or say --yes"
        )
    if network.num_addresses > 1 << 20:
        raise ConfigError(f"{text} has {network.num_addresses} addresses; name a smaller network")
    if not network.is_private and not yes:
        raise ConfigError(f"{text} is a public network; look only where your terminals are, or say --yes")
    return [str(host) for host in network.hosts()]


async def look(
    hosts: Sequence[str],
    finders: Mapping[str, Finder],
    known: Mapping[tuple[str, int | None], str],
    timeout_s: float,
    tick: Callable[[], None],
) -> list[Found]:
    """What listens, recognised by asking; in the order of addresses."""
    ports = sorted({port for finder in finders.values() for port in finder.ports})
    places = ((host, port) for host in hosts for port in ports)
    found: list[tuple[int, Found]] = []
    order = {host: index for index, host in enumerate(hosts)}

    async def work() -> None:
        for host, port in places:  # shared: each worker takes the next
            if await _listens(host, port, timeout_s):
                found.append((order[host], await _who(host, port, finders, known)))
            tick()

    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(hosts) * len(ports)))))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].port))]


async def _listens(host: str, port: int, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            await writer.wait_closed()
    return True


async def _who(
    host: str, port: int, finders: Mapping[str, Finder], known: Mapping[tuple[str, int | None], str]
) -> Found:
    candidates = [name for name, finder in finders.items() if port in finder.ports]
    if name := known.get((host, port)) or known.get((host, None)):
        return Found(host, port, candidates[0] if len(candidates) == 1 else None, DeviceInfo(), name)
    for family in candidates:
        await asyncio.sleep(PAUSE_S)
        # A driver that stumbles over a stranger must not end the search.
        with contextlib.suppress(MusterError, OSError, TimeoutError):
            async with asyncio.timeout(IDENTIFY_S):
                if (info := await finders[family].identify(host, port)) is not None:
                    return Found(host, port, family, info)
    return Found(host, port, None, DeviceInfo())


def _configured(path: Path) -> dict[tuple[str, int | None], str]:
    """Names of the terminals in the settings by host and port; none where there are no settings yet."""
    if not path.exists():
        return {}
    terminals = load_config(path).terminal
    return {(_plain(one.host), one.port): one.name for one in terminals if one.host}


def _plain(host: str) -> str:
    return host.removeprefix("https://").removeprefix("http://")


def likely_profiles(found: Found) -> list[str]:
    """Profiles of the model that the terminal names, else some of its family."""
    if found.family is None:
        return []
    family = [(name, profile) for name, profile in profiles() if profile.family == found.family]
    told = _letters(found.info.model or "")
    same = [name for name, profile in family if told and _alike(told, _letters(profile.model))]
    others = [name for name, _ in family]
    return same or (others if len(others) <= NAMED else [*others[:NAMED], f"... ({len(others)} in all)"])


def _alike(told: str, model: str) -> bool:
    return model in told or told in model


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


@contextlib.contextmanager
def _progress(total: int, *, hidden: bool) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield lambda: None
        return
    bar: AbstractContextManager[Progress] = Progress(console=console, transient=True)
    with bar as progress:
        task = progress.add_task("connecting", total=total)
        yield lambda: progress.advance(task)
