"""``python -m k2eval``."""

from k2eval.cli.app import main

if __name__ == "__main__":
    main()
