"""Sets that ship to be chosen from and are in force nowhere before somebody publishes them."""

from functools import cache
from importlib.resources import files

from server.scoring.catalogue import default_catalogue, read_sets
from server.scoring.scheme import WeightSet


@cache
def default_templates() -> tuple[WeightSet, ...]:
    """What ships beside the engine, through the same checks as weights in force."""
    toml = (files("server.scoring") / "defaults" / "templates.toml").read_bytes()
    return read_sets(toml, {indicator.id for indicator in default_catalogue().indicators})
