"""The JavaScript of others is what its makers published, and travels with the package."""

from __future__ import annotations

import fnmatch
import json
import runpy
from pathlib import Path

from k2eval.pages import LIBRARIES, LIVE, SAMPLES, STYLES, WORKER

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "k2eval" / "pages"
MOST_LINES = 400


def test_every_file_has_the_hash_that_was_recorded_when_it_was_fetched() -> None:
    assert runpy.run_path(str(ROOT / "requirements" / "pages.py"))["list_faults"]() == []


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    program = runpy.run_path(str(ROOT / "requirements" / "pages.py"))
    folder = tmp_path / "vendor"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "a.js").write_text("changed")
    (folder / "lib" / "b.js").write_text("not asked for")
    files = {"lib/a.js": "0" * 64, "lib/c.js": "0" * 64}
    (folder / "vendor.json").write_text(json.dumps({"lib": {"version": "1", "files": files}}))
    list_faults = program["list_faults"]
    list_faults.__globals__.update(ROOT=tmp_path, pins=lambda: {"lib": {"folder": "vendor", "version": "2"}})
    assert [fault.split(": ")[0] for fault in list_faults()] == [
        "vendor/lib/b.js",
        "vendor/lib/c.js",
        "vendor/lib/a.js",
        "lib",
    ]


def test_each_library_has_its_licence_beside_it() -> None:
    for folder in [path for path in (PAGES / "vendor").iterdir() if path.is_dir()]:
        assert (folder / "LICENSE").stat().st_size > 500


def test_every_file_of_the_pages_is_in_the_wheel() -> None:
    patterns = ROOT.joinpath("setup.py").read_text().partition('"k2eval.pages": [')[2].partition("]")[0]
    wanted = [pattern.strip(' "') for pattern in patterns.split(",")]
    names = [path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*") if path.is_file()]
    others = [name for name in names if not name.endswith((".py", ".pyi", ".pyc"))]
    # As setuptools does, a star stays within its folder.
    missed = [
        name
        for name in others
        if not any(
            name.count("/") == pattern.count("/") and fnmatch.fnmatch(name, pattern) for pattern in wanted
        )
    ]
    assert others
    assert missed == []


def test_every_script_is_short_and_is_put_into_the_page() -> None:
    scripts = {path.relative_to(PAGES).as_posix(): path for path in (PAGES / "report").glob("*.js")}
    assert set(scripts) == {name for name in (*SAMPLES, *LIVE, *WORKER) if name.startswith("report/")}
    assert all((PAGES / name).exists() for name in (*LIBRARIES, *STYLES, *WORKER))
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in scripts.items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
