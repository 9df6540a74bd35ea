"""Texts to calibrate quantised nano checkpoints with, from the questions that they were trained on, none of the test.

python -m models.nano.calibration 128 > texts.jsonl
"""

from __future__ import annotations

import argparse
import json
import random

from .documents import chat_document

SEED = "calibration"


def main() -> None:
    """Write JSON lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", type=int, help="Number of texts.")
    rng = random.Random(SEED)
    for _ in range(parser.parse_args().number):
        document = chat_document(rng)
        print(json.dumps({"text": document.prompt + document.reply}))


if __name__ == "__main__":
    main()
