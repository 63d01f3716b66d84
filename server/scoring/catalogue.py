"""The indicators and weights in use: the shipped defaults, through the same checks as any edit."""

from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files

import msgspec

from server.scoring.indicator import Indicator, check_indicators
from server.scoring.scheme import WeightSet, check_sets
from shared.errors import DataError


class Catalogue(msgspec.Struct, frozen=True):
    """All versions of all indicators and weight sets."""

    indicators: tuple[Indicator, ...]
    sets: tuple[WeightSet, ...]

    def version(self, indicator: str, rule_version: str) -> Indicator | None:
        """The definition that a stored score was made with."""
        same = (i for i in self.indicators if i.id == indicator and i.rule_version == rule_version)
        return next(same, None)


class _Indicators(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    indicator: tuple[Indicator, ...]


class _Sets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    set: tuple[WeightSet, ...]


def read_indicators(toml: bytes) -> tuple[Indicator, ...]:
    """Checked definitions of a TOML document; DataError says what is wrong where."""
    try:
        found = msgspec.toml.decode(toml, type=_Indicators, strict=True).indicator
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"indicators: {error}", "catalogue") from error
    check_indicators(found)
    return found


def check_pair(indicator: Indicator, names: Collection[str]) -> None:
    """DataError when an indicator is to be shown with one that is not among these."""
    if indicator.pair is not None and indicator.pair not in names:
        message = f"indicator {indicator.id}: no indicator {indicator.pair} to be shown with"
        raise DataError(message, "indicator_pair", {"field": "pair", "name": indicator.pair})


def read_sets(toml: bytes, indicators: Iterable[str]) -> tuple[WeightSet, ...]:
    """Checked weight sets of a TOML document; DataError says what is wrong where."""
    try:
        found = msgspec.toml.decode(toml, type=_Sets, strict=True).set
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"weights: {error}", "catalogue") from error
    check_sets(found, indicators)
    return found


def read_catalogue(indicators: bytes, sets: bytes) -> Catalogue:
    """A checked catalogue from two TOML documents; DataError says what is wrong where."""
    found = read_indicators(indicators)
    names = {indicator.id for indicator in found}
    for indicator in found:
        check_pair(indicator, names)
    return Catalogue(found, read_sets(sets, names))


@cache
def default_catalogue() -> Catalogue:
    """What ships beside the engine."""
    folder = files("server.scoring") / "defaults"
    libraries = sorted((folder / "indicators").iterdir(), key=lambda file: file.name)
    return read_catalogue(b"\n".join(file.read_bytes() for file in libraries), (folder / "weights.toml").read_bytes())
