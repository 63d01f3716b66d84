"""``python -m gateway.cli``: the same as ``muster gateway``."""

from gateway.cli import app

if __name__ == "__main__":
    app(prog_name="muster gateway")
