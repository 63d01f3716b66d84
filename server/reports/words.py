"""Words of files: what codes are called in Chinese and English (words.toml). Pages have words of their own."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import TypeAlias

import msgspec

from server.reports.columns import Language, TableName

_Both: TypeAlias = tuple[str, str]


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    titles: dict[TableName, _Both]
    codes: dict[str, _Both]
    labels: dict[str, _Both]


_WORDS = msgspec.convert(tomllib.loads(files("server.reports").joinpath("words.toml").read_text("utf-8")), _Words)
CODES: Mapping[str, _Both] = _WORDS.codes


def title(report: TableName, language: Language) -> str:
    """What a report is called."""
    return _said(_WORDS.titles[report], language)


def word(code: str, language: Language) -> str:
    """What a code is called; one without a word stays as it is."""
    return _said(CODES[code], language) if code in CODES else code


def label(name: str, language: Language) -> str:
    """A word of the frame around a table."""
    return _said(_WORDS.labels[name], language)


def _said(both: _Both, language: Language) -> str:
    return both[0] if language == "zh-CN" else both[1]
