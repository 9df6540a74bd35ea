"""The parts of the box: the interpreter, the packages of a profile, and the code that runs inside."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox.filter import compiled_filters
from k2eval.sandbox.types import Profile

SMALL = ("regex", "sortedcontainers", "tzdata")
"""In every profile: what programs for contests use and what imports within milliseconds."""
SCIENCE = ("numpy", "scipy", "sympy", "mpmath", "h5py")
REQUIRED = {
    "plain": SMALL,
    "numpy": (*SMALL, "numpy"),
    "scientific": (*SMALL, *SCIENCE),
    "full": (*SMALL, *SCIENCE, "networkx", "numba", "llvmlite", "pandas", "dateutil", "six"),
}
# Importable in the scientific profile if installed, but not kept warm.
PLOTTING = (
    *("matplotlib", "mpl_toolkits", "pylab", "cycler", "kiwisolver", "contourpy", "fontTools", "PIL"),
    "pyparsing",
)
CONTESTS = (
    *("more_itertools", "typing_extensions", "dateutil", "six", "pytz"),
    *("attr", "attrs", "cachetools", "packaging", "tqdm"),
)
OPTIONAL = {
    "plain": CONTESTS,
    "numpy": CONTESTS,
    "scientific": (*CONTESTS, *PLOTTING),
    "full": (*CONTESTS, *PLOTTING),
}
DISTRIBUTIONS = {"PIL": "pillow", "dateutil": "python-dateutil"}
PACKAGES_FOLDER = "/usr/local/packages"
LINKS = [["/submission/stdin", "/dev/stdin"]]
ENVIRONMENT = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
# In the order in which they can import one another.
MODULES = (
    *(
        "allowance",
        "wire",
        "patience",
        "inside.kernel",
        "inside.gauge",
        "inside.older_numpy",
        "inside.older_integrals",
        "inside.older_signal",
        "inside.older_scipy",
        "inside.shims",
        "inside.natural",
        "inside.program",
        "inside.rehearsal",
        "inside.memory",
        "inside.warm",
        "inside.folders",
        "inside.report",
        "inside.watcher",
    ),
    "inside.zygote",
)
ENTRY_MODULES = ("inside.kernel", "inside.gauge", "inside.measure", "inside.root", "inside.entry")
# Hooks that modules want to run after a fork (reseeding, new locks) are dropped: they would touch memory in every
# run, and there is never a second thread to take care of.
BOOT = """
import os, sys, types
register = os.register_at_fork
os.register_at_fork = lambda **hooks: None
for name in ("k2eval", "k2eval.sandbox", "k2eval.sandbox.inside"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, text in plan.pop("modules").items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, "<sandbox>", "exec"), module.__dict__)
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)
serve, config = module.serve, plan["config"]
for name in [name for name in sys.modules if name.split(".")[0] == "k2eval"]:
    del sys.modules[name]
del name, text, module, parent, child, plan
serve(config, control, gauge, register)
"""
ENTER = """
import sys, types, json, os, socket
control, payload = int(sys.argv[1]), int(sys.argv[2])
plan = json.loads(open(payload).read())
try:
    for name in ("k2eval", "k2eval.sandbox", "k2eval.sandbox.inside"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    for name, text in plan.pop("entry").items():
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, name, "exec"), module.__dict__)
        parent, _, child = name.rpartition(".")
        setattr(sys.modules[parent], child, module)
    module.enter(plan, control)
except BaseException as error:
    import traceback
    report = {"primitive": getattr(error, "primitive", ""), "errno": getattr(error, "errno", None) or 0,
              "text": traceback.format_exc()[-3000:]}
    try:
        socket.socket(fileno=control).send(json.dumps(report).encode())
    finally:
        os._exit(1)
"""
_counter = itertools.count()


@cache
def source_of(module: str) -> str:
    """Return the text of one of this package's own files."""
    return Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def package_binds(profile: Profile) -> list[list[str]]:
    """Return source and target of every folder and file of the profile's packages.

    Raises:
        SandboxUnavailable: If a package of the profile is not installed.
    """
    binds = []
    for name in dict.fromkeys((*REQUIRED[profile], *OPTIONAL[profile])):
        spec = importlib.util.find_spec(name)
        folders = iter(spec.submodule_search_locations or ()) if spec else iter(())
        origin = (spec and spec.origin) or next(folders, None)
        if origin is None:
            if name in REQUIRED[profile]:
                raise SandboxUnavailable(
                    f"Expected the package {name} for the sandbox profile {profile!r}, "
                    f"but it is not installed: `pip install {DISTRIBUTIONS.get(name, name)}`."
                )
            continue
        path = Path(origin)
        path = path.parent if path.name == "__init__.py" else path
        binds.append([str(path), f"{PACKAGES_FOLDER}/{path.name}"])
        libraries = path.with_name(f"{DISTRIBUTIONS.get(name, name)}.libs")
        if libraries.is_dir():
            binds.append([str(libraries), f"{PACKAGES_FOLDER}/{libraries.name}"])
    return binds


def executable() -> str:
    """Return the real interpreter behind this one, outside of any virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def plan(profile: Profile) -> dict[str, Any]:
    """Return everything that `k2eval.sandbox.inside.entry` needs to build a box."""
    prefix = "k2eval.sandbox."
    compiles = "numba" in (*REQUIRED[profile], *OPTIONAL[profile])
    return {
        "entry": {prefix + name: source_of(name) for name in ENTRY_MODULES},
        "executable": executable(),
        "packages": package_binds(profile),
        "links": LINKS,
        "environment": ENVIRONMENT if profile != "plain" else {},
        # A user of its own for every box, so that process counts and signals are its own too.
        "uid": 20000 + (os.getpid() * 16 + next(_counter)) % 40000,
        "inside": {
            "boot": BOOT,
            "modules": {prefix + name: source_of(name) for name in MODULES},
            "config": {"profile": profile, "filters": [code.hex() for code in compiled_filters(compiles)]},
        },
    }
