"""``k2eval`` and ``python -m k2eval``."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C during the imports ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from k2eval.system import hold_streams

    hold_streams()
    from k2eval.cli import main as run

    run()


if __name__ == "__main__":
    main()
