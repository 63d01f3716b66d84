"""How some systems wrap values; what is not wrapped stays as it is."""

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from server.connectors.errors import ReplyError

Unwrap = Callable[[Any], Any]


def tryton(value: Any) -> Any:
    """``{"__class__": ...}`` becomes the value; ``"party."`` becomes ``party``, in place of the bare id."""
    if isinstance(value, list):
        return [tryton(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if isinstance(kind, str):
        return _tryton_value(kind, value)
    found = {key: tryton(item) for key, item in value.items() if not key.endswith(".")}
    for key, item in value.items():
        if key.endswith(".") and len(key) > 1:
            found[key[:-1]] = tryton(item)
    return found


def _tryton_value(kind: str, value: Mapping[str, Any]) -> Any:
    unwrap = _TRYTON.get(kind)
    try:
        return None if unwrap is None else unwrap(value)
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None


_TRYTON: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "Decimal": lambda v: str(Decimal(v["decimal"])),
    "date": lambda v: dt.date(v["year"], v["month"], v["day"]).isoformat(),
    "datetime": lambda v: dt.datetime(
        v["year"], v["month"], v["day"], v["hour"], v["minute"], v["second"], tzinfo=dt.UTC
    ).isoformat(),
    "timedelta": lambda v: float(v["seconds"]),
    "bytes": lambda v: v.get("base64"),
}


def limesurvey(value: Any) -> Any:
    """Exports are base64 inside the result."""
    if not isinstance(value, dict) or not isinstance(value.get("result"), str):
        return value
    try:
        return {**value, "result": msgspec.json.decode(base64.b64decode(value["result"], validate=True))}
    except (binascii.Error, msgspec.DecodeError) as error:
        raise ReplyError("the export is no base64 of JSON", "bad_body", retry=True) from error


def json_text(value: Any) -> Any:
    """Members of the reply that are JSON written as text become what they say."""
    if not isinstance(value, dict):
        return value
    return {key: _parsed(item) if isinstance(item, str) else item for key, item in value.items()}


def _parsed(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReplyError("a text that should be JSON is none", "bad_body", retry=True) from error


DIALECTS: Mapping[str, Unwrap] = {
    "plain": lambda v: v,
    "odoo": lambda v: v,
    "tryton": tryton,
    "limesurvey": limesurvey,
    "json_text": json_text,
}
