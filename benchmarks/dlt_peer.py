"""dlt as a peer, in an environment of its own: none of its packages comes into ours."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = Path(os.environ.get("MUSTER_PEERS") or ROOT / ".peers") / "dlt"
PACKAGE = "dlt[sqlalchemy]==1.31.0"


def environment() -> Path | None:
    """Its Python, made on first use; None where the package index does not give it, and why on stderr."""
    python, stamp = HOME / "bin/python", HOME / "installed"
    if stamp.is_file() and stamp.read_text() == PACKAGE:
        return python
    venv.create(HOME, clear=True, with_pip=True)
    words: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    installed = subprocess.run(words, capture_output=True, text=True, check=False)
    if installed.returncode:
        told = (installed.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"dlt is left out, it can not be installed: {told}", file=sys.stderr)
        return None
    stamp.write_text(PACKAGE)
    return python


def seconds(python: Path, path: Path, folder: Path, rows: int) -> float:
    """Seconds of a pull by dlt; RuntimeError where it did not store every row."""
    folder.mkdir()
    words: list[str | Path] = [python, Path(__file__).with_name("dlt_pull.py"), path, folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder)
    took, stored = done.stdout.split()[-2:]
    if int(stored) != rows:
        raise RuntimeError(f"dlt stored {stored} of {rows} rows")
    return float(took)
