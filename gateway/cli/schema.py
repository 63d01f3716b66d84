"""``muster device schema``: what an editor needs to check a firmware profile."""

import json

import msgspec
import typer

from gateway.profile import Profile

URL = "https://json-schema.org/draft/2020-12/schema"


def profile_schema() -> str:
    """JSON Schema of ``firmware-profiles/<brand>/<model>.toml``."""
    found = {"$schema": URL, "title": "Muster firmware profile", **msgspec.json.schema(Profile)}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def schema() -> None:
    """Print the JSON Schema of firmware profiles.

    muster device schema > profile.schema.json
    """
    typer.echo(profile_schema(), nl=False)
