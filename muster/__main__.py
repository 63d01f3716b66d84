"""``python -m muster``: the same as the console script."""

from muster.cli import main

if __name__ == "__main__":
    main()
