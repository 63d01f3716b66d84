"""On which line of a TOML text something is: parsers say what is wrong by path, people look for it by line."""

import re
from collections.abc import Iterator

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z_][\w.-]*)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=")
_STEP = re.compile(r"([A-Za-z_][\w-]*)((?:\[\d+\])*)")

_Step = tuple[str, int | None]
_Path = tuple[_Step, ...]


def line_of(text: str, path: str) -> int:
    """Line, from 1, of the deepest part of a path such as ``indicator[1].curve.points[0]`` that has one of its own."""
    wanted = tuple((name, int(index[1:-1].split("][")[0]) if index else None) for name, index in _STEP.findall(path))
    best, deepest = 1, 0
    for line, place in _places(text):
        if len(place) > deepest and _leads_to(place, wanted):
            best, deepest = line, len(place)
    return best


def _leads_to(place: _Path, wanted: _Path) -> bool:
    if len(place) > len(wanted):
        return False
    return all(
        name == own and index in (None, number) for (own, index), (name, number) in zip(place, wanted, strict=False)
    )


def _places(text: str) -> Iterator[tuple[int, _Path]]:
    """Tables and keys with their lines, in order; arrays of tables are numbered from 0."""
    table: _Path = ()
    counts: dict[_Path, int] = {}
    inside = ""
    for line, said in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if said.count(inside) % 2 else inside
            continue
        if header := _HEADER.fullmatch(said):
            table = _table(header[2].split("."), header[1] == "[[", counts)
            yield line, table
        elif key := _KEY.match(said):
            yield line, (*table, *((name, None) for name in key[1].split(".")))
        inside = next((mark for mark in ('"""', "'''") if said.count(mark) % 2), "")


def _table(names: list[str], many: bool, counts: dict[_Path, int]) -> _Path:
    found: _Path = ()
    for at, name in enumerate(names):
        plain = (*found, (name, None))
        if many and at == len(names) - 1:
            counts[plain] = counts.get(plain, -1) + 1
        found = (*found, (name, counts.get(plain)))
    return found
