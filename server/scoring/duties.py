"""From the duties of a post to the indicators that measure it (岗位-指标), by words kept as data. Pure.

A suggestion, never a decision: it says by which words it came about, and a person accepts it.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


class DutyRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words that speak for an indicator."""

    indicator: str
    name_zh: str
    name_en: str
    zh: tuple[str, ...]
    en: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[DutyRule, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An indicator, and the words of the duties that speak for it."""

    rule: DutyRule
    found: tuple[str, ...]


@cache
def duty_rules() -> tuple[DutyRule, ...]:
    """What ships, one rule for each indicator of the library."""
    text = (files("server.scoring") / "defaults" / "duties.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Rules, strict=True).rule


def suggest(duties: str) -> list[Suggestion]:
    """Indicators for duties, those with most words first; empty when no word is known."""
    text = unicodedata.normalize("NFKC", duties).casefold()
    found = [Suggestion(rule, words) for rule in duty_rules() if (words := _words(rule, text))]
    return sorted(found, key=lambda one: -len(one.found))


def _words(rule: DutyRule, text: str) -> tuple[str, ...]:
    """Those of a rule's words that the text has."""
    chinese = [word for word in rule.zh if word in text]
    english = [word for word in rule.en if re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text)]
    return (*chinese, *english)
