"""Make the pictures of README.md anew: a recording of a terminal, and a screenshot of a report.

``make pictures`` evaluates two of the bundled checkpoints on questions of our own, records `k2eval run` and
`k2eval compare` as they print, and looks at their report with Debian's Chromium. Waits of the recording are shortened.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS, ROWS = 120, 27
RUN = "k2eval run --model models/nano/rl --tasks nano_math,nano_code --limit 30 --repeats 4 --out runs/rl"
OTHER = RUN.replace("nano/rl", "nano/sft").replace("runs/rl", "runs/sft")
COMPARE = "k2eval compare runs/sft runs/rl"
REPORT = "k2eval report runs/sft runs/rl --out reports/first"
SAMPLE = "#?task=nano_math&order=disagreement"

STEP_S, LONGEST_S, LAST_S = 0.2, 0.7, 6.0
"""Least time between two frames; most time that one is shown, but for the last one, which is shown so long."""
MOST_S = 12.0
"""Most seconds that the work of a command takes in the recording."""
STARTING, START = "Starting vllm", 0.15
"""Words of frames in which an engine starts, and the share of their time that they take."""
TYPED = 12
"""Characters typed in a frame."""
LARGEST = 300_000
WIDTH, HEIGHT, MARGIN = 7.8, 17, 14
"""Size of a character and the space around all of them."""
COLOURS = {
    "default": "#d6dbe1", "black": "#7d8794", "red": "#f07a74", "green": "#62c987", "brown": "#e5b95c",
    "blue": "#6cb0ff", "magenta": "#c58be8", "cyan": "#5cc8d7", "white": "#f2f4f7",
}  # fmt: skip


class Style(NamedTuple):
    """How characters look."""

    colour: str
    bold: bool = False


Row = tuple[tuple[str, Style], ...]
"""A line of a terminal: runs of characters of one style."""


class Frame(NamedTuple):
    """A state of the terminal, and the seconds that it is shown."""

    rows: tuple[Row, ...]
    seconds: float


def main() -> None:
    """Make the runs, then both pictures."""
    PICTURES.mkdir(exist_ok=True)
    work = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "models").exists():
        (work / "models").symlink_to(ROOT / "models")
    shutil.rmtree(work / "runs" / "rl", ignore_errors=True)
    subprocess.run(_words(OTHER), cwd=work, env=_environment(), check=True)
    frames = [*record((RUN, COMPARE), work)]
    _keep("run.svg", animation(frames, f"Recording of a terminal: {RUN}, then {COMPARE}").encode())
    subprocess.run(_words(REPORT), cwd=work, env=_environment(), check=True)
    _keep("report.png", picture(work / "reports" / "first" / "report.html"))


def _keep(name: str, content: bytes) -> None:
    if len(content) > LARGEST:
        raise SystemExit(f"Expected {name} to have at most {LARGEST} bytes, got {len(content)}.")
    (PICTURES / name).write_bytes(content)
    print(f"Wrote docs/pictures/{name}: {len(content)} bytes.")


def _words(command: str) -> list[str]:
    return [sys.executable, "-m", *command.split()]


def _environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS),
    }  # fmt: skip


def record(commands: Sequence[str], folder: Path) -> Iterator[Frame]:
    """Yield what a terminal shows while somebody types commands and these run.

    Args:
        commands: The commands.
        folder: The folder to run them in.
    """
    import pyte

    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    for command in commands:
        for end in range(0, len(command) + TYPED, TYPED):
            typed = f"\r\x1b[1;32m$\x1b[0m {command[:end]}"
            stream.feed(typed.encode())
            yield Frame(_rows(screen), STEP_S / 2)
        stream.feed(b"\r\n")
        shown, since, made = _rows(screen), time.monotonic(), []
        for output in _run(_words(command), folder):
            stream.feed(output)
            now = time.monotonic()
            if now - since >= STEP_S and (rows := _rows(screen)) != shown:
                made.append(Frame(shown, min(now - since, LONGEST_S) * _share(shown)))
                shown, since = rows, now
        yield from shortened(made, MOST_S)
        yield Frame(_rows(screen), 3 * LONGEST_S)
        stream.feed(b"\r\n")
    yield Frame(_rows(screen), LAST_S)


def _share(rows: tuple[Row, ...]) -> float:
    return START if any(STARTING in text for row in rows for text, _ in row) else 1.0


def shortened(frames: Sequence[Frame], most: float) -> Iterator[Frame]:
    """Yield frames that take ``most`` seconds together, fewer of them if they would pass too fast to be seen.

    >>> [frame.seconds for frame in shortened([Frame((), 1.0)] * 8, 1.0)]
    [0.25, 0.25, 0.25, 0.25]
    """
    factor = min(1.0, most / (sum(frame.seconds for frame in frames) or most))
    waited = 0.0
    for frame in frames:
        waited += frame.seconds * factor
        if waited >= STEP_S:
            yield Frame(frame.rows, waited)
            waited = 0.0


def _run(command: Sequence[str], folder: Path) -> Iterator[bytes]:
    """Yield what a command writes to a terminal of its own, as it comes.

    Raises:
        SystemExit: If the command fails.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with subprocess.Popen(
        command, cwd=folder, env=_environment(), stdin=theirs, stdout=theirs, stderr=theirs
    ) as started:
        os.close(theirs)
        while True:
            try:
                output = os.read(ours, 1 << 16)
            except OSError:  # its end is an error on Linux
                break
            if not output:
                break
            yield output
        code = started.wait()
    os.close(ours)
    if code not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {code}.")


def _rows(screen: Any) -> tuple[Row, ...]:
    """Return the lines of pyte's screen."""
    rows = []
    for number in range(ROWS):
        line = screen.buffer[number]
        cells = [(line[at].data, _style(line[at])) for at in range(COLUMNS)]
        runs = [
            ("".join(text for text, _ in group), style)
            for style, group in groupby(cells, key=lambda cell: cell[1])
        ]
        while runs and not runs[-1][0].strip():
            runs.pop()
        rows.append(tuple(runs))
    return tuple(rows)


def _style(cell: Any) -> Style:
    colour, bold = cell.fg, cell.bold
    name = colour.removeprefix("bright")
    return Style(
        f"#{name}" if len(name) == 6 and name not in COLOURS else COLOURS.get(name, COLOURS["default"]), bold
    )


def animation(frames: Sequence[Frame], label: str) -> str:
    """Return frames as an SVG that shows one after the other, for ever; those who want less motion see the last one.

    Each line is drawn once and used wherever it stands. The frames stand one below the other, and a step of the
    animation moves the next one into sight.
    """
    shown = [
        Frame(rows, sum(frame.seconds for frame in same))
        for rows, same in groupby(frames, key=lambda frame: frame.rows)
    ]
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), ROWS * HEIGHT + 2 * MARGIN
    lines = {
        row: number for number, row in enumerate(dict.fromkeys(row for frame in shown for row in frame.rows))
    }
    drawn = "".join(f'<g id="l{number}">{_line(row)}</g>' for row, number in lines.items() if row)
    placed = "".join(
        f'<use href="#l{lines[row]}" y="{height * number + MARGIN + HEIGHT * place}"/>'
        for number, frame in enumerate(shown)
        for place, row in enumerate(frame.rows)
        if row
    )
    total, at, steps = sum(frame.seconds for frame in shown), 0.0, []
    for number, frame in enumerate(shown):
        steps.append(f"{100 * at / total:.3f}%{{transform:translateY({-height * number}px)}}")
        at += frame.seconds
    end = -height * (len(shown) - 1)
    style = (
        f"text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}"
        f".b{{font-weight:700}}@keyframes k{{{''.join(steps)}100%{{transform:translateY({end}px)}}}}"
        f"#f{{animation:k {total:.1f}s steps(1,end) infinite}}"
        f"@media(prefers-reduced-motion:reduce){{#f{{animation:none;transform:translateY({end}px)}}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}"><style>{style}</style><defs>{drawn}</defs>'
        f'<rect width="100%" height="100%" rx="8" fill="#14171b"/><g id="f">{placed}</g></svg>\n'
    )


def _line(row: Row) -> str:
    """Return one line; each run of characters has its own place and width, whatever the font."""
    parts, column = [], 0
    for text, style in row:
        lead = len(text) - len(text.lstrip(" "))
        word = text.strip(" ")
        if word:
            bold = ' class="b"' if style.bold else ""
            parts.append(
                f'<text x="{MARGIN + (column + lead) * WIDTH:.1f}" y="{HEIGHT - 4}" fill="{style.colour}"{bold} '
                f'textLength="{len(word) * WIDTH:.1f}">{escape(word, quote=False)}</text>'
            )
        column += len(text)
    return "".join(parts)


def picture(page: Path) -> bytes:
    """Return a screenshot of a report as PNG of 256 colours, with the samples of the question that differs most."""
    import io

    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1400, "height": 860}, device_scale_factor=1)
        tab.goto(page.resolve().as_uri() + SAMPLE)
        tab.wait_for_selector("#grid td.cell")
        tab.keyboard.press("j")
        tab.wait_for_selector("#shown .answer")
        tab.keyboard.press("s")
        tab.wait_for_function("() => document.querySelectorAll('#shown .answer').length === 2")
        tab.keyboard.press("o")
        tab.evaluate("document.querySelector('#samples h2').scrollIntoView()")
        tab.wait_for_timeout(1000)
        shot = tab.screenshot()
        browser.close()
    picture = Image.open(io.BytesIO(shot)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    content = io.BytesIO()
    picture.save(content, "png", optimize=True)
    return content.getvalue()


if __name__ == "__main__":
    main()
