"""``python -m server.cli``: the same as ``muster server``."""

from server.cli import app

if __name__ == "__main__":
    app(prog_name="muster server")
