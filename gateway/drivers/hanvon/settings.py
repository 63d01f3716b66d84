"""What a configured Hanvon terminal needs before the first byte: address and communication key."""

from pathlib import Path

from gateway.driver import Terminal
from gateway.drivers.hanvon.conversation import Conversation
from gateway.transports.tcp import TcpLink
from shared.errors import ConfigError

PORT = 9922


def conversation_with(terminal: Terminal, *, proven: bool = False) -> Conversation:
    """A conversation that connects when it is entered; ConfigError for settings that can not work."""
    host, port = address_of(terminal)
    timeout_s = terminal.profile.link.timeout_s
    path = terminal.config.key_file
    key = "" if path is None else read_key(path)
    return Conversation(lambda: TcpLink.connect(host, port, timeout_s), key, timeout_s, proven=proven)


def read_key(path: Path) -> str:
    """The communication key in a file, 1 to 8 digits; ConfigError does not repeat what is in it."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the communication key can not be read ({type(error).__name__})") from error
    if not text.isdecimal() or len(text) > 8:
        raise ConfigError(f"{path}: expected the communication key alone, 1 to 8 digits")
    return text


def address_of(terminal: Terminal) -> tuple[str, int]:
    """Host and port; ConfigError when the terminal has none."""
    config, link = terminal.config, terminal.profile.link
    if link.transport != "tcp":
        raise ConfigError(f"profile {config.profile}: link.transport is {link.transport!r}, expected tcp")
    if config.host is None:
        raise ConfigError(f"terminal {config.name}: set `host` to its address, such as 192.168.0.2")
    return config.host, config.port or link.port or PORT
