r"""Places in a reply: ``a.b[0].c``, ``list[id=7].value``, ``^.order_no`` for the row around.

``\.`` is a dot in a name.
"""

import re
from functools import lru_cache
from typing import Any, TypeAlias

from shared.errors import DataError

Step: TypeAlias = str | int | tuple[str, str]
"""A name, a position, or a condition on the elements of a list."""
Path: TypeAlias = tuple[Step, ...]

OUTER = "^"
_STEP = re.compile(r"(?P<name>\^|(?:\\.|[^.\[\]\\])+)?(?P<brackets>(?:\[[^\[\]]+\])*)")
_BRACKET = re.compile(r"\[([^\[\]]+)\]")


@lru_cache(maxsize=1_024)
def parse_path(text: str) -> Path:
    """The steps of a path; ValueError when it is none. An empty one is the value itself."""
    if not text:
        return ()
    steps: list[Step] = []
    for part in re.split(r"(?<!\\)\.", text):
        found = _STEP.fullmatch(part)
        if not part or found is None:
            raise ValueError(f"{text!r} is no path such as order.lines[0].sku")
        if found["name"]:
            steps.append(re.sub(r"\\(.)", r"\1", found["name"]))
        for inside in _BRACKET.findall(found["brackets"]):
            name, equals, value = inside.partition("=")
            steps.append((name, value) if equals else int(inside) if inside.lstrip("-").isdigit() else inside)
    return tuple(steps)


def look(value: Any, path: Path) -> Any:
    """What is there; None for nothing. DataError ``schema_changed`` where a name is asked of a list or plain value."""
    for step in path:
        if value is None or value is False or value == "":
            return None  # the latter two are how some systems say that nothing is linked
        if isinstance(step, tuple):
            value = next((item for item in _list(value) if _says(item, *step)), None)
        elif isinstance(step, int):
            items = _list(value)
            value = items[step] if -len(items) <= step < len(items) else None
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            raise DataError(f"{step!r} asked of {type(value).__name__}", "schema_changed")
    return value


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise DataError(f"expected a list, got {type(value).__name__}", "schema_changed")


def _says(item: Any, name: str, value: str) -> bool:
    return isinstance(item, dict) and str(item.get(name)) == value
