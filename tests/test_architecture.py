"""The house keeps its order: rooms, faces, and dependencies that point one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "k2eval"
CONTRACTS = {
    "__init__.py",
    "__main__.py",
    "records.py",
    "errors.py",
    "texts.py",
    "values.py",
    "testing.py",
    "py.typed",
}
INSIDE_THE_BOX = PACKAGE / "sandbox" / "inside"
MOST_LINES = 400


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def packages() -> list[str]:
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of everything of ours that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("k2eval"):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith("k2eval"))


def is_package(module: str) -> bool:
    return (ROOT / module.replace(".", "/") / "__init__.py").exists()


def test_only_contracts_and_packages_stand_at_the_top() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files - {"__init__.pyi"} <= CONTRACTS


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_package_is_entered_through_its_face(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0]
    passed_by = [
        module
        for module, _ in imports(path)
        if module.count(".") >= 2 and module.split(".")[1] != own and not is_package(module)
    ]
    assert not passed_by


@pytest.mark.parametrize("folder", ["benchmarks", "models", "examples"])
def test_programs_around_the_package_use_its_faces(folder: str) -> None:
    passed_by = [
        f"{path.name}: {module}"
        for path in (ROOT / folder).rglob("*.py")
        for module, _ in imports(path)
        if module.count(".") >= 2 and not is_package(module)
    ]
    assert not passed_by


def test_dependencies_point_one_way_and_in_no_circle() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_wait_loses_a_cancellation() -> None:
    """`asyncio.wait_for` of Python 3.11 forgets one that comes with the result; `asyncio.timeout` does not."""
    assert not [path for path in modules() if "asyncio.wait_for(" in path.read_text("utf-8")]


def test_every_package_has_a_line_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [name for name in packages() if f"`{name}/`" not in page] == []


@pytest.mark.parametrize("folder", ["k2eval", "benchmarks", "models", "examples", "tests"])
def test_no_file_is_too_long_to_read(folder: str) -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
