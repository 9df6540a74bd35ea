"""Fetch the JavaScript libraries of the HTML pages from npm, at the versions that pages.json pins.

``python requirements/pages.py`` checks that each file in the repository has the hash that vendor.json beside it states.
``--refresh`` packs each version anew with npm, checks npm's own hash of the package against the pinned one, and writes
the files, their licences and vendor.json. A version that is new has no pinned hash yet: its hash is written, to be
looked at in the commit.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "pages.json"
RECORD = "vendor.json"


def main() -> int:
    """Check the files, or fetch them; return the exit code."""
    if sys.argv[1:] == ["--refresh"]:
        refresh()
    elif sys.argv[1:]:
        print(__doc__)
        return 2
    faults = list_faults()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def list_faults() -> list[str]:
    """Return a sentence for each file that is missing, was changed or is not pinned."""
    faults = []
    for folder in sorted({pin["folder"] for pin in pins().values()}):
        place = ROOT / folder
        recorded = json.loads((place / RECORD).read_text("utf-8"))
        files = {name: content for package in recorded.values() for name, content in package["files"].items()}
        present = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} - {
            RECORD
        }
        faults += [f"{folder}/{name}: not in {RECORD}." for name in sorted(present - files.keys())]
        faults += [f"{folder}/{name}: missing." for name in sorted(files.keys() - present)]
        faults += [
            f"{folder}/{name}: changed since it was fetched. Run python requirements/pages.py --refresh."
            for name in sorted(present & files.keys())
            if sha256(place / name) != files[name]
        ]
        for package, pin in pins().items():
            if pin["folder"] == folder and recorded.get(package, {}).get("version") != pin["version"]:
                faults.append(f"{package}: expected version {pin['version']}. Run it with --refresh.")
    return faults


def refresh() -> None:
    """Fetch every package and write its files.

    Raises:
        SystemExit: If a package is not the pinned one.
    """
    before = [json.loads(path.read_text("utf-8")) for path in ROOT.glob(f"**/pages/vendor/{RECORD}")]
    known = {name: package for record in before for name, package in record.items()}
    records: dict[str, dict[str, Any]] = {}
    for name, pin in pins().items():
        with tempfile.TemporaryDirectory() as scratch:
            archive = packed(name, pin["version"], Path(scratch))
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            old = known.get(name, {})
            if old.get("version") == pin["version"] and old["integrity"] != integrity:
                raise SystemExit(f"{name} {pin['version']}: expected {old['integrity']}, got {integrity}.")
            files = unpack(archive, name, pin["files"], ROOT / pin["folder"])
        records.setdefault(pin["folder"], {})[name] = {
            "version": pin["version"],
            "integrity": integrity,
            "files": files,
        }
    for folder, record in records.items():
        (ROOT / folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def packed(name: str, version: str, scratch: Path) -> Path:
    """Return npm's archive of a package."""
    command = ["npm", "pack", f"{name}@{version}", "--silent", "--ignore-scripts"]
    subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    [archive] = scratch.glob("*.tgz")
    return archive


def unpack(archive: Path, package: str, patterns: list[str], folder: Path) -> dict[str, str]:
    """Write the wanted files of an archive into ``FOLDER/<package>/``; return their hashes by name."""
    hashes = {}
    short = package.rpartition("/")[0].lstrip("@") or package
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            inner = member.name.partition("/")[2]
            stream = opened.extractfile(member) if member.isfile() else None
            if stream is not None and any(fnmatch.fnmatch(inner, pattern) for pattern in patterns):
                target = folder / short / Path(inner).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stream.read())
                hashes[target.relative_to(folder).as_posix()] = sha256(target)
    return dict(sorted(hashes.items()))


def pins() -> dict[str, dict[str, Any]]:
    """Return the pinned packages."""
    loaded: dict[str, dict[str, Any]] = json.loads(PINS.read_text("utf-8"))
    return loaded


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
