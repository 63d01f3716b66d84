"""References of a source file: ``${env:NAME}`` and ``${secret:name}``, looked up only when they are needed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from server.connectors.errors import MissingSecretError
from shared.errors import ConfigError

_REFERENCE = re.compile(r"\$\{(env|secret):([A-Za-z_][A-Za-z0-9_.-]*)\}")
MASK = "***"


@dataclass(slots=True)
class Secrets:
    """Where secrets are: the environment, a folder with one file each, or systemd's credentials."""

    folder: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _told: set[str] = field(default_factory=set)

    def fill(self, text: str, *, secret: bool = True) -> str:
        """The text with its references looked up; ConfigError names the one that is missing, never a value."""

        def value(found: re.Match[str]) -> str:
            looked_up = self._env(found[2]) if found[1] == "env" else self._file(found[2])
            if (secret or found[1] == "secret") and looked_up:
                self._told.add(looked_up)
            return looked_up

        return _REFERENCE.sub(value, text)

    def mask(self, text: str) -> str:
        """The text without any secret that was looked up."""
        for secret in sorted(self._told, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def _env(self, name: str) -> str:
        try:
            return self.environ[name]
        except KeyError:
            raise MissingSecretError(f"environment variable {name} is not set, and ${{env:{name}}} names it") from None

    def _file(self, name: str) -> str:
        folders = [Path(path) for path in (self.environ.get("CREDENTIALS_DIRECTORY"), self.folder) if path]
        for folder in folders:
            path = folder / name
            try:
                mode = path.stat().st_mode
                text = path.read_text(encoding="utf-8").rstrip("\r\n")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"secret {name}: {path} can not be read ({type(error).__name__})") from error
            if mode & 0o077 and folder == self.folder:
                raise ConfigError(f"secret {name}: others may read {path}; run `chmod 600 {path}`")
            return text
        there = " or ".join(str(folder) for folder in folders) or "a folder for secrets, which the settings do not name"
        raise MissingSecretError(f"secret {name}: expected a file of that name in {there}")
