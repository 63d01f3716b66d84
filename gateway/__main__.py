"""``python -m gateway --config FILE``: the process itself, without the command line's libraries."""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path

# structlog would load rich to print tracebacks, 7 MiB that stay for months (measured); without, it uses Python's own.
sys.modules["rich"] = None  # type: ignore[assignment]

from gateway.app import log_to_stderr, run  # noqa: E402
from gateway.config import load_config  # noqa: E402
from shared.errors import ConfigError  # noqa: E402

del sys.modules["rich"]


def main() -> int:
    """Exit code: 0 stopped as asked, 2 settings that can not work."""
    parser = ArgumentParser(prog="python -m gateway", description="Run the gateway until SIGTERM or Ctrl-C.")
    parser.add_argument("--config", "-c", type=Path, default=Path("gateway.toml"), metavar="FILE")
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        log_to_stderr()
        asyncio.run(run(config))
    except ConfigError as error:
        print(f"muster gateway: {error}", file=sys.stderr)  # noqa: T201 - before there is a log
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
