"""``python -m openami``: the command line."""

from openami.app.cli import main

if __name__ == "__main__":
    main()
