"""Rows of a file that make no sense: where they are and why, so that a person can mend the file."""

from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError, DataError

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that can not be read; ``line`` counts from 1, the header included."""

    file: str
    line: int
    reason: str


def refuse(problems: list[Problem]) -> DataError:
    """The error that lists the first of them; nothing of the files has been fed."""
    shown = "\n".join(f"  {p.file}, line {p.line}: {p.reason}" for p in problems[:SHOWN])
    more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return DataError(
        f"{len(problems)} rows make no sense; nothing was fed. Mend them, or pass --skip-bad-rows:\n{shown}{more}",
        code="bad_row",
    )


def read_text(path: Path) -> str:
    """The file's text; ConfigError when it is not there or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can not be read ({error}); name the folder that holds the files") from error
