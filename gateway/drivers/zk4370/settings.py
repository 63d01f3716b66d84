"""What configuration and profile say about a terminal, checked."""

from pathlib import Path

from gateway.config import TerminalConfig
from gateway.drivers.zk4370.conversation import Address, Layout
from gateway.profile import Profile
from shared.errors import ConfigError

PORT = 4370
NO_REALTIME, NAMES_GBK = "no_realtime", "names_gbk"
LAYOUTS = {"log_record", "user_record"}


def key_of(config: TerminalConfig) -> int:
    """The communication key; 0 where none is configured."""
    return 0 if config.key_file is None else read_key(config.key_file)


def read_key(path: Path) -> int:
    """The communication key in a file, 0 to 999999; ConfigError does not repeat what is in it."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the communication key can not be read ({type(error).__name__})") from error
    if not text.isdecimal() or int(text) > 999_999:
        raise ConfigError(f"{path}: expected the communication key alone, a number from 0 to 999999")
    return int(text)


def address_of(config: TerminalConfig, profile: Profile) -> Address:
    """Where it listens; ConfigError without host."""
    transport = profile.link.transport
    if transport not in ("tcp", "udp"):
        raise ConfigError(f"profile {config.profile}: link.transport is {transport!r}, expected tcp or udp")
    if config.host is None:
        raise ConfigError(f"terminal {config.name}: set `host` to its address, such as 192.168.1.201")
    port = config.port or profile.link.port or PORT
    return Address(config.host, port, transport == "udp", profile.link.timeout_s)


def layout_of(profile: Profile) -> Layout:
    """Sizes of records and encoding of names; ConfigError for a layout that nobody knows."""
    if unknown := set(profile.layouts) - LAYOUTS:
        raise ConfigError(
            f"profile {profile.brand}/{profile.model}: layouts {', '.join(sorted(unknown))} are unknown, "
            f"expected {', '.join(sorted(LAYOUTS))}"
        )
    encoding = "gbk" if NAMES_GBK in profile.quirks else "utf-8"
    return Layout(profile.layouts.get("log_record"), profile.layouts.get("user_record"), encoding)
