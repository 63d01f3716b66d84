"""Filling in a call with values by name.

The names are ``{since}``, ``{until}``, ``{from}``, ``{to}``, ``{after}``, ``{size}``, ``{page}``, ``{offset}``,
``{ids}`` and ``{id}``: a closed list, no expressions. A text that is one name alone becomes the value,
with its type.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from server.connectors.source_file import TimeForm

NAMES = ("since", "until", "from", "to", "after", "size", "page", "offset", "ids", "id")
_NAME = re.compile(r"\{(" + "|".join(NAMES) + r")\}")


def fill(call: Any, values: Mapping[str, Any]) -> Any:
    """The call with values in place of names; a member whose whole value is a name without value is left out."""
    if isinstance(call, str):
        whole = _NAME.fullmatch(call)
        if whole:
            return values.get(whole[1])
        return _NAME.sub(lambda found: _plain(values.get(found[1])), call)
    if isinstance(call, list | tuple):
        return [fill(item, values) for item in call]
    if isinstance(call, dict):
        filled = {key: fill(item, values) for key, item in call.items()}
        return {key: value for key, value in filled.items() if value is not None or call[key] is None}
    return call


def as_form(at: dt.datetime, form: TimeForm, zone: ZoneInfo) -> str | int:
    """A moment as a source wants it: ``local`` and ``date`` by its own zone, the rest as UTC."""
    match form:
        case "iso":
            return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "local":
            return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        case "date":
            return at.astimezone(zone).date().isoformat()
        case "epoch_s":
            return int(at.timestamp())
        case "epoch_s_text":
            return str(int(at.timestamp()))
        case "epoch_ms":
            return int(at.timestamp()) * 1000


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)
