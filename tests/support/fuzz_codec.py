"""Coverage-guided fuzzing of one family's decoder, in a process of its own because libFuzzer ends the process.

    python -m tests.support.fuzz_codec FAMILY SEEDS_FOLDER [-max_total_time=20 ...]

The first byte chooses among the family's models, the rest is what a terminal sent. Nothing but DataError may come out.
"""

import sys
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import atheris

from gateway.cli.families import load_driver, profiles
from gateway.device import Decoder
from shared.errors import DataError
from tests.support.captures import of_family

INSTRUMENTED = ["gateway.drivers", "gateway.scans", "gateway.transports"]
ZONE = ZoneInfo("Asia/Shanghai")


def main(family: str, folder: Path, *options: str) -> None:
    """Fuzz until the options say stop; exit code 77 and the input on standard error when something else came out."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        driver = load_driver(family)
    assert isinstance(driver, Decoder)
    models = [model for _, model in profiles() if model.family == family]
    kinds = [next(same) for _, same in groupby(sorted(models, key=_kind), key=_kind)]

    def one(data: bytes) -> None:
        with suppress(DataError):
            driver.decode(data[1:], kinds[data[0] % len(kinds)] if data else kinds[0], ZONE, "SN1")

    for number, seed in enumerate(of_family("twon" if family == "2n" else family)):
        for place in range(len(kinds)):
            (folder / f"{number}-{place}").write_bytes(bytes([place]) + seed)
    atheris.Setup(["fuzz", str(folder), *options], one)
    atheris.Fuzz()


def _kind(model: object) -> str:
    return repr([getattr(model, name) for name in ("layouts", "quirks", "frame", "file", "codes")])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
