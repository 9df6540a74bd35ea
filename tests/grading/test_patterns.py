"""Each regular expression of grading says what it matches."""

import ast
from pathlib import Path

import pytest

import k2eval

GRADING = Path(k2eval.__file__).parent / "grading"


def undocumented(path: Path) -> list[str]:
    """Return the names of the module's patterns with "Matches …" neither inside, above nor below."""
    source = path.read_text(encoding="utf-8")
    lines, body = source.splitlines(), ast.parse(source).body
    names = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("re.compile(")):
            continue
        start, end = node.lineno - 1, after.end_lineno if isinstance(after, ast.Expr) else node.end_lineno
        while lines[start - 1].startswith("#"):
            start -= 1
        if "Matches" not in "\n".join(lines[start:end]):
            names.append(ast.unparse(node.targets[0]))
    return names


@pytest.mark.parametrize("path", sorted(GRADING.rglob("*.py")), ids=lambda path: path.stem)
def test_each_pattern_says_what_it_matches(path: Path) -> None:
    assert undocumented(path) == []
