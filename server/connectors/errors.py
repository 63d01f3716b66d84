"""What can be wrong with a source file and with a reply."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a source file, at a line counted from 1."""

    line: int
    where: str
    fact: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.where}: {self.fact}" if self.where else f"line {self.line}: {self.fact}"


class SourceFileError(ConfigError):
    """A source file can not be used; every fault with its line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{name}:\n  " + "\n  ".join(map(str, problems)))


class MissingSecretError(ConfigError):
    """What a reference names is nowhere."""


class ReplyError(DataError):
    """A reply as a whole is unusable; ``retry``: the same call may work later. The cursor never moves."""

    def __init__(self, message: str, code: str, *, retry: bool) -> None:
        super().__init__(message, code)
        self.retry = retry
