"""The worked examples of the protocol pages as the bytes that ``muster device decode`` is given."""

import json
from pathlib import Path

from gateway.cli.decode import from_hex

FOLDER = Path(__file__).parents[1] / "captures"


def captures() -> dict[str, bytes]:
    """All of them by name, such as ``hikvision/search``; what only says what to expect is left out."""
    found = {}
    for path in sorted(FOLDER.glob("*/*")):
        data = _bytes(path)
        if data is not None:
            found[f"{path.parent.name}/{path.stem}"] = data
    return found


def of_family(family: str) -> list[bytes]:
    """The examples in the folder of that family's package."""
    return [data for name, data in captures().items() if name.startswith(f"{family}/")]


def _bytes(path: Path) -> bytes | None:
    data = path.read_bytes()
    if path.suffix == ".hex":
        return from_hex(data, path.name)
    if path.suffix != ".json":
        return data
    told = json.loads(data)
    for key in ("hex", "realtime_glog"):
        if key in told:
            return bytes.fromhex(told[key])
    for key in ("text", "body"):
        if key in told:
            return str(told[key]).encode()
    if "reads" in told:
        return "".join(f"{read['text']}\r" for read in told["reads"]).encode()
    return None if "from" in told or "source" in told else data
