"""What a configured Anviz terminal needs before the first byte: address, login, layout of its users."""

from pathlib import Path

from gateway.driver import Terminal
from gateway.drivers.anviz import codec
from gateway.drivers.anviz.conversation import Conversation
from gateway.profile import Profile
from gateway.transports.tcp import TcpLink
from shared.errors import ConfigError

PORT = 5010
USER_RECORD = "user_record"


async def connect(terminal: Terminal) -> TcpLink:
    """An open link to the terminal; RetryableError when nobody answers."""
    host, port = address_of(terminal)
    return await TcpLink.connect(host, port, terminal.profile.link.timeout_s)


async def log_in(talk: Conversation, terminal: Terminal) -> None:
    """Log in where a key file says that the terminal wants it; ConfigError at the first refusal."""
    path = terminal.config.key_file
    if path is not None:
        await talk.login(*read_login(path))


def read_login(path: Path) -> tuple[str, str]:
    """User and password in a file; ConfigError does not repeat what is in it."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the login can not be read ({type(error).__name__})") from error
    user, colon, password = text.partition(":")
    if not user or not colon or max(len(user), len(password)) > 12:
        raise ConfigError(f"{path}: expected user:password, each of at most 12 characters")
    return user, password


def address_of(terminal: Terminal) -> tuple[str, int]:
    """Host and port; ConfigError when the terminal has none."""
    config, link = terminal.config, terminal.profile.link
    if link.transport != "tcp":
        raise ConfigError(f"profile {config.profile}: link.transport is {link.transport!r}, expected tcp")
    if config.host is None:
        raise ConfigError(f"terminal {config.name}: set `host` to its address, such as 192.168.1.218")
    return config.host, config.port or link.port or PORT


def layout_of(profile: Profile) -> codec.Layout:
    """Layout of user records; ConfigError for one that nobody knows."""
    if unknown := set(profile.layouts) - {USER_RECORD}:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: layouts {sorted(unknown)} are unknown")
    size = profile.layouts.get(USER_RECORD, 40)
    layout = codec.LAYOUTS.get(size)
    if layout is None:
        known = ", ".join(map(str, codec.LAYOUTS))
        raise ConfigError(f"profile {profile.brand}/{profile.model}: user_record {size}, expected one of {known}")
    return layout
