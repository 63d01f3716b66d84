"""Files that are named on the command line, read with an error that says what is wrong."""

from pathlib import Path

from shared.errors import ConfigError


def bytes_of(path: Path) -> bytes:
    """What is in it; ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: can not be read ({error.strerror})") from error


def text_of(path: Path) -> str:
    """The same as UTF-8 text; ConfigError."""
    try:
        return bytes_of(path).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no UTF-8 text") from error
