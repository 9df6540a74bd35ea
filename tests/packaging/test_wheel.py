"""The source archive, the wheel that is built from it, and an editable install, each used from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import k2eval

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONPATH", "K2EVAL_TASKS", "K2EVAL_DATA")
} | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
SCRIPT = (
    '{"match": "strawberry", "responses": ["\\\\boxed{3}"]}\n{"match": "", "responses": ["\\\\boxed{42}"]}\n'
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def call(command: list[str | Path], folder: Path) -> str:
    """What a command prints, started in a folder."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked(*folders: str) -> list[str]:
    """The files of the checkout below these folders, without what git ignores."""
    command: list[str | Path] = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *folders,
    ]
    return [name for name in call(command, ROOT).splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the files that are built from."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked(
        "k2eval", "tasks", "leaderboards/published.csv", "*.toml", "*.py", "*.in", "README.md", "LICENSE"
    ):
        if name.startswith(("tests/", "benchmarks/", "models/", "examples/")):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive as an installer does."""
    out = tmp_path_factory.mktemp("wheel")
    build = "from setuptools import build_meta; print(build_meta.build_{}({!r}))"
    call([sys.executable, "-c", build.format("sdist", str(out))], copy)
    [archive] = out.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(out, filter="data")
    call([sys.executable, "-c", build.format("wheel", str(out))], out / f"k2eval-{k2eval.__version__}")
    [path] = out.glob("*.whl")
    return path


def environment(folder: Path, *install: str | Path) -> Path:
    """The executables of a new environment with an installed k2eval; all other packages are those of this one."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    ours = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    [site] = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text("".join(f"{path}\n" for path in ours))
    call(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            *install,
        ],
        folder,
    )
    return python.parent


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executables of an environment with the wheel."""
    return environment(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def runs(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, empty before, in which the installed command has made two runs."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "script.jsonl").write_text(SCRIPT)
    for name, seed in (("a", 0), ("b", 1)):
        command = (
            f"run --engine scripted --model script.jsonl --tasks smoke --repeats 1 --seed {seed} --out {name}"
        )
        call([installed / "k2eval", *command.split()], folder)
    return folder


def test_the_wheel_holds_every_file_of_the_package_and_of_its_tasks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        packed = {name for name in file.namelist() if ".dist-info/" not in name}
    expected = {
        name if name.startswith("k2eval/") else f"k2eval/_{name}" for name in tracked("k2eval", "tasks")
    }
    assert packed == expected | {"k2eval/_leaderboards/published.csv"}


def test_the_wheel_says_the_version_of_the_package(installed: Path, tmp_path: Path) -> None:
    program = "import importlib.metadata as m, k2eval; print(k2eval.__file__, k2eval.__version__, m.version('k2eval'))"
    path, *versions = call([installed / "python", "-c", program], tmp_path).split()
    assert Path(path).is_relative_to(installed.parent)
    assert versions == [k2eval.__version__] * 2


def test_the_installed_command_lists_the_tasks(installed: Path, tmp_path: Path) -> None:
    output = call([installed / "k2eval", "tasks"], tmp_path)
    assert "aime24" in output
    assert "nano_science" in output
    assert "smoke/questions.jsonl" in output


def test_the_installed_command_makes_a_run(runs: Path) -> None:
    verdicts = (runs / "a" / "verdicts.jsonl").read_text().splitlines()
    assert len(verdicts) == 52
    assert any('"outcome": "correct"' in line and "smoke-02" in line for line in verdicts)


def test_the_installed_command_writes_a_leaderboard_with_published_figures(
    installed: Path, runs: Path
) -> None:
    call([installed / "k2eval", "leaderboard", "a", "b", "--out", "board"], runs)
    assert "## Published figures" in (runs / "board.md").read_text()


def test_the_installed_command_compares_runs(installed: Path, runs: Path) -> None:
    assert "no difference shown" in call([installed / "k2eval", "compare", "a", "b"], runs)


def test_the_installed_package_works_from_python(installed: Path, runs: Path) -> None:
    program = 'import k2eval; print(k2eval.load_run("a").scores.loc["smoke", "samples"])'
    assert call([installed / "python", "-c", program], runs).strip() == "52"


@pytest.mark.parametrize("name", ["smoke", "nano_choice"])
def test_stock_lm_eval_reads_the_installed_tasks(installed: Path, tmp_path: Path, name: str) -> None:
    program = (
        "from lm_eval.tasks import TaskManager, get_task_dict\n"
        "from k2eval.tasks.files import tasks_folder\n"
        "manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False)\n"
        f"print(len(list(get_task_dict([{name!r}], manager)[{name!r}].test_docs())))\n"
    )
    output = call([installed / "python", "-c", program], tmp_path)
    assert output.split()[-1] == {"smoke": "52", "nano_choice": "400"}[name]


def test_an_editable_install_reads_the_tasks_of_its_checkout(copy: Path, tmp_path: Path) -> None:
    executables = environment(tmp_path / "editable", "-e", copy)
    program = "from k2eval.tasks.files import task_files; print(task_files()['smoke'])"
    assert call([executables / "python", "-c", program], tmp_path).strip() == str(
        copy / "tasks/smoke/smoke.yaml"
    )
