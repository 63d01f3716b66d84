"""Drivers and terminals as commands need them: looked up by name, with words for what is missing."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.config import GatewayConfig, TerminalConfig
from gateway.device import Manager, serves_one
from gateway.driver import Driver, Terminal, TerminalState
from gateway.profile import Profile, added_profile_folders, load_profile, profile_folder
from shared.errors import ConfigError, MusterError, RetryableError


def load_driver(family: str) -> Driver:
    """The driver of that family; loads the wiring of the gateway, which help can do without."""
    from gateway import app

    return app.load_driver(family)


def families() -> dict[str, Driver]:
    """All installed drivers that can be loaded, by family."""
    from importlib.metadata import entry_points

    found: dict[str, Driver] = {}
    for name in sorted({entry.name for entry in entry_points(group="muster.drivers")}):
        try:
            found[name] = load_driver(name)
        except (MusterError, ImportError, AttributeError):
            continue  # its library is not installed: `muster gateway check` says so where it is used
    return found


def profiles() -> Iterator[tuple[str, Profile]]:
    """All profiles by name, in order; those that do not load are left out."""
    for folder in (profile_folder(), *added_profile_folders()):
        for path in sorted(folder.glob("*/*.toml")):
            name = str(path.relative_to(folder).with_suffix(""))
            try:
                yield name, load_profile(name)
            except ConfigError:
                continue


def terminal_of(config: GatewayConfig, name: str) -> Terminal:
    """The configured terminal of that name; ConfigError names those that there are."""
    for one in config.terminal:
        if one.name == name:
            return made(one, config.zone)
    known = ", ".join(one.name for one in config.terminal) or "none yet: `muster gateway add` adds one"
    raise ConfigError(f"no terminal is named {name!r}; there are {known}")


def made(config: TerminalConfig, zone: str) -> Terminal:
    """A terminal outside the running gateway."""
    state = TerminalState(config.name, config.profile, config.serial)
    return Terminal(config, load_profile(config.profile), zone, state)


def driver_of(profile: Profile) -> Driver:
    """The driver of that model, its quirks checked."""
    from gateway.app import check_quirks

    driver = load_driver(profile.family)
    check_quirks(driver, profile)
    return driver


def manager_of(terminal: Terminal) -> tuple[Driver, Manager]:
    """The driver with which a person can talk to that terminal; ConfigError where the family is not made for it."""
    driver = driver_of(terminal.profile)
    if not isinstance(driver, Manager):
        raise ConfigError(
            f"terminals of family {terminal.profile.family} report by themselves and can not be asked; "
            f"`muster gateway status` shows when {terminal.config.name} last did"
        )
    return driver, driver


def check_free(config: GatewayConfig, driver: Driver, name: str) -> None:
    """RetryableError when the running gateway holds the only session that such a terminal gives."""
    if serves_one(driver) and gateway_runs(config.data):
        raise RetryableError(
            f"{name} is in use by the gateway that runs here, and its family talks to one client at a time: "
            "stop the gateway for a moment, or try all the same with --anyway (it may throw the gateway out)"
        )


def gateway_runs(folder: Path) -> bool:
    """Whether a gateway process holds this buffer."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
