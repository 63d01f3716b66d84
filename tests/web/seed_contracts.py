"""What the pages about contracts and rewards need beside the shared company: keys, as an operator makes them."""

import subprocess
import sys

from tests.web.installation import Installation


def make_keys(server: Installation) -> None:
    """Keys for the running server; safe to repeat."""
    words = ["-m", "server.cli", "keys", "init", "--config", str(server.folder / "server.toml")]
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=60)
