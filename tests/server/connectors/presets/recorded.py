"""Recorded replies of the presets, and what has to become of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.connectors.presets import preset_names

HERE = Path(__file__).parent
EXPECTED = ".rows.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reply of a stream, and what has to become of it."""

    preset: str
    stream: str
    reply: Path
    expected: dict[str, list[dict[str, Any]]]

    def __str__(self) -> str:
        return f"{self.preset}-{self.reply.name}"


def _recorded() -> Iterator[Recorded]:
    for preset in preset_names():
        for expected in sorted((HERE / preset).glob(f"*{EXPECTED}")):
            name = expected.name.removesuffix(EXPECTED)
            [reply] = [path for path in (HERE / preset).glob(f"{name}.*") if path.stem == name and path != expected]
            yield Recorded(preset, name.split(".")[0], reply, json.loads(expected.read_text()))


RECORDED = list(_recorded())
