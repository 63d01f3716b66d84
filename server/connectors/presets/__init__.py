"""Source files for the systems that are asked most; a company copies one and names its own address."""

from importlib.resources import files

from server.connectors.source_file import Source, read_source
from shared.errors import ConfigError


def preset_names() -> list[str]:
    """Every preset."""
    names = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """The source file of that name; ConfigError names those there are."""
    if name not in preset_names():
        raise ConfigError(f"no preset {name!r}; there are {', '.join(preset_names())}")
    return files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def load_preset(name: str) -> Source:
    """That source."""
    return read_source(preset_text(name), f"{name}.yaml")
