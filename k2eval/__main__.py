"""``python -m k2eval``."""

from k2eval.cli import main

if __name__ == "__main__":
    main()
